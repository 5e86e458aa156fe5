#include "serve/mhd.h"

#include <dlfcn.h>

static const char LIBRARY[] = "libmicrohttpd.so.12";

se_status se_mhd_open(const se_mhd **out)
{
    static se_mhd table;
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return se_fail(SE_ERR_IO,
                       "serve: %s cannot be opened (Debian's package is libmicrohttpd12): %s",
                       LIBRARY, dlerror());
#define X(name)                                                                                    \
    *(void **)&table.name = dlsym(handle, "MHD_" #name);                                           \
    if (!table.name)                                                                               \
        return se_fail(SE_ERR_IO, "serve: %s has no MHD_" #name, LIBRARY);
    SE_MHD_CALLS(X)
#undef X
    *out = &table;
    return SE_OK;
}
