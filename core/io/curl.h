/* libcurl, opened at run time: only its headers are there when sembed is built. */
#ifndef SE_IO_CURL_H
#define SE_IO_CURL_H

#include "base.h"
#include <curl/curl.h>

typedef struct se_curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *easy);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *extra, unsigned n, int ms,
                            int *ready);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
} se_curl;

/* The library's functions; SE_ERR_STATE with the name of the package to install where it is not
 * there. Once opened it stays. One thread at a time. */
se_status se_curl_open(const se_curl **out);

#endif
