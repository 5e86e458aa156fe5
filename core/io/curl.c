#include "io/curl.h"

#include <dlfcn.h>

static const char *const NAMES[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

/* Looks up every function; the first that is missing is named. */
static const char *look_up(void *library, se_curl *c)
{
    const struct {
        const char *name;
        void *at; /* of the pointer to set; data and functions have one size on POSIX systems */
    } ALL[] = {{"curl_global_init", &c->global_init},
               {"curl_easy_init", &c->easy_init},
               {"curl_easy_cleanup", &c->easy_cleanup},
               {"curl_easy_setopt", &c->easy_setopt},
               {"curl_easy_getinfo", &c->easy_getinfo},
               {"curl_easy_strerror", &c->easy_strerror},
               {"curl_slist_append", &c->slist_append},
               {"curl_slist_free_all", &c->slist_free_all},
               {"curl_multi_init", &c->multi_init},
               {"curl_multi_cleanup", &c->multi_cleanup},
               {"curl_multi_add_handle", &c->multi_add_handle},
               {"curl_multi_remove_handle", &c->multi_remove_handle},
               {"curl_multi_perform", &c->multi_perform},
               {"curl_multi_poll", &c->multi_poll},
               {"curl_multi_info_read", &c->multi_info_read}};
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++)
        if (!(*(void **)ALL[i].at = dlsym(library, ALL[i].name)))
            return ALL[i].name;
    return NULL;
}

se_status se_curl_open(const se_curl **out)
{
    static se_curl curl;
    static bool open;
    *out = &curl;
    if (open)
        return SE_OK;
    void *library = NULL;
    for (size_t i = 0; !library && i < sizeof NAMES / sizeof *NAMES; i++)
        library = dlopen(NAMES[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return se_fail(
            SE_ERR_STATE,
            "downloads need libcurl, which is not there: install it (Debian: apt install "
            "libcurl4). %s",
            dlerror());
    const char *missing = look_up(library, &curl);
    if (missing)
        return se_fail(SE_ERR_STATE,
                       "libcurl is too old: it has no %s, expected version 7.66 or later", missing);
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return se_fail(SE_ERR_STATE, "libcurl cannot be started");
    open = true;
    return SE_OK;
}
