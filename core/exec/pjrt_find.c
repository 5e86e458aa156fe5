/* Where plugins lie: as pip and packages put them. */
#define _GNU_SOURCE
#include "pjrt.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A kind of device: a file that shows that there is one (NULL: always), and its plugins. */
typedef struct kind {
    const char *device, *file[4];
} kind;

static const kind kinds[] = {
    {"/dev/accel0", {"libtpu/libtpu.so"}},
    {"/dev/vfio/0", {"libtpu/libtpu.so"}},
    {"/dev/nvidiactl", {"jax_plugins/xla_cuda*/xla_cuda_plugin.so"}},
    {NULL, {"*/pjrt_c_api_cpu_plugin.so", "*/libpjrt_cpu.so"}},
};

/* Folders of Python packages: a variable that begins the path (NULL: none), and the rest. */
static const char *const folders[][2] = {
    {"VIRTUAL_ENV", "lib/python3*/site-packages"},
    {"CONDA_PREFIX", "lib/python3*/site-packages"},
    {"HOME", ".local/lib/python3*/site-packages"},
    {NULL, "/usr/local/lib/python3*/dist-packages"},
    {NULL, "/usr/local/lib/python3*/site-packages"},
    {NULL, "/usr/lib/python3/dist-packages"},
    {NULL, "/usr/local/lib/sembed"},
};

static char *first_of(const char *pattern)
{
    glob_t found;
    char *path = NULL;
    if (glob(pattern, 0, NULL, &found) == 0) {
        path = se_strdup(found.gl_pathv[0]);
        globfree(&found);
    }
    return path;
}

static char *look_for(const char *file)
{
    char pattern[4096];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *variable = folders[i][0], *start = variable ? getenv(variable) : "";
        if (!start || (variable && !*start))
            continue;
        int n = snprintf(pattern, sizeof pattern, "%s%s%s/%s", start, variable ? "/" : "",
                         folders[i][1], file);
        char *path = n > 0 && (size_t)n < sizeof pattern ? first_of(pattern) : NULL;
        if (path)
            return path;
    }
    return NULL;
}

se_status se_pjrt_find(char **path)
{
    const char *named = getenv("SEMBED_PJRT_PLUGIN");
    if (named && *named)
        return (*path = se_strdup(named)) ? SE_OK : SE_ERR_MEMORY;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (kinds[k].device && access(kinds[k].device, F_OK) != 0)
            continue;
        for (int i = 0; i < 4 && kinds[k].file[i]; i++)
            if ((*path = look_for(kinds[k].file[i])))
                return SE_OK;
    }
    return se_fail(SE_ERR_IO, "no PJRT plugin is found: SEMBED_PJRT_PLUGIN=FILE names one; for a "
                              "CPU, `pip install lammps-jax-pjrt-cpu` brings one");
}
