/* Where graphs run (declared in sembed.h). */
#include "tensor.h"

#include "exec/xla.h"
#include "shard/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* N of "xla:N"; 0: it is something else. */
static int count_of(const char *name)
{
    int n = 0, used = 0;
    if (sscanf(name, "xla:%d%n", &n, &used) != 1 || name[used] || n < 1)
        return 0;
    return n;
}

se_status se_device_use(const char *name, bool bf16)
{
    int now = se_xla_devices(), wanted = count_of(name);
    if (!wanted && strcmp(name, "cpu") != 0)
        return se_fail(SE_ERR_ARG,
                       "device=%s: cpu or xla:N is wanted, where N is a number of devices", name);
    if (wanted == now)
        return SE_OK;
    if (now)
        return se_fail(SE_ERR_STATE, "device=%s: the process runs on xla:%d already", name, now);
    if (se_shard_many())
        return se_fail(SE_ERR_STATE,
                       "device=%s: one process alone runs all its devices: %d were started", name,
                       se_shard_count());
    se_status s = se_xla_open(NULL, wanted, bf16);
    if (s)
        return se_fail_prefix(s, "device=%s: ", name);
    if (wanted > 1)
        se_shard_pretend(0, wanted);
    return SE_OK;
}

void se_device_read(se_device_facts *out)
{
    se_xla_counts c;
    se_xla_count(&c);
    *out = (se_device_facts){.shards = se_xla_devices(),
                             .programs = c.programs,
                             .compiled = c.compiled,
                             .make_seconds = c.make_seconds,
                             .about = c.about,
                             .kind = c.kind};
}
