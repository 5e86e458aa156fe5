/* A plugin of our own that speaks the protocol, keeps count of what is not destroyed, and fails
 * where it is told to. Its programs are one line: "mock OUT OUT ...", where OUT is `2` (argument
 * 2), `0+2` (their sum, f32) or `all0` (argument 0 summed over the replicas), and a `!` behind it
 * lets the output take over the memory of its first argument. Loaded as a plugin is; a test asks it
 * for pjrt_mock by dlsym. */
#ifndef PJRT_MOCK_H
#define PJRT_MOCK_H

#include "exec/pjrt_abi.h"

typedef struct pjrt_mock {
    /* What it pretends to be. */
    int major, minor;
    int devices;       /* 0: as many as are asked for */
    bool takes_option; /* cpu_device_count is known */
    size_t table_size; /* 0: whole */
    const char *refuses_client;

    /* Failures: the call of `function` after `after` others of it gives an error of this code; so
     * does the event of a call, where `event` is set. */
    int function, after, code;
    bool event;

    /* Errors, events, clients, programs, codes and buffers that were not destroyed. */
    int alive;
    int calls[PJ_FUNCTIONS];
} pjrt_mock_state;

#endif
