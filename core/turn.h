/* One thread for the engine: what several threads ask for is done on it, one after another. The
 * callers' own threads stay as they are, and how they are set (OpenMP, rounding, stack, signals)
 * changes nothing. */
#ifndef SE_TURN_H
#define SE_TURN_H

#include "base.h"

/* Runs work(data) on the engine's thread and returns its status, its message being the calling
 * thread's then. Callers are served in the order in which they came. A fork waits for the call that
 * runs; the child has a thread of its own at its first call. */
se_status se_turn(se_status (*work)(void *data), void *data);

#endif
