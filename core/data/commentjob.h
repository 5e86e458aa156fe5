/* A job of comments from within (comments.h is what others see of it): its state on disk, and its
 * two parts. */
#ifndef SE_DATA_COMMENTJOB_H
#define SE_DATA_COMMENTJOB_H

#include "data/comment.h"
#include "data/reading.h"
#include "io/lock.h"

enum {
    SE_COMMENT_PARTS = 1024,     /* at most */
    SE_COMMENT_SPLIT = 16,       /* parts that one is split into when it is too large */
    SE_COMMENT_WRITE = 256 << 10 /* bytes of a part that are written at once */
};

/* A file of comments of some threads. */
typedef struct se_comment_part {
    char name[32];
    int64_t bytes; /* on disk */
    int32_t level; /* how often it was split */
    bool unsynced;
    se_blob text; /* not written yet */
} se_comment_part;

struct se_comments {
    se_comments_options options;
    char *out, *work, *state_path, *facts;
    char *pairs_path[2]; /* train, test: while they are made */
    se_lock *lock;       /* on OUT */
    se_source *source;
    se_reading read[2];
    int turn;
    bool started; /* read[turn] holds something */
    bool parsed;  /* comment[] holds what read[1 - turn] had */
    se_comment *comment;
    int64_t n_comments; /* parsed, not written */
    int64_t *which;     /* their lines in the reading */
    se_comment_part *part;
    int32_t n_parts, steps;
    se_source_place place; /* what was written comes from before it */
    se_comments_state now;
    int64_t bytes[2]; /* of the pairs' files */
    int64_t joined;   /* bytes of parts that are done */
    bool done;
};

/* Writes OUT/parts/state.json. */
se_status se_comments_write_state(se_comments *c);
/* Reads it where it is there (*there), cuts the files to the lengths that it tells, and goes to the
 * place in the sources. SE_ERR_ARG for a job of other facts. */
se_status se_comments_read_state(se_comments *c, bool *there);
/* Cuts all files to the lengths that are known. */
se_status se_comments_cut(const se_comments *c);

/* Writes what stands in the text of each of n parts that has more than `above` bytes. */
se_status se_comments_flush(const se_comments *c, se_comment_part *list, int32_t n, size_t above);
/* Before a state that tells the parts' lengths is written: a machine that stops keeps them, too. */
se_status se_comments_sync(const se_comments *c, se_comment_part *list, int32_t n);
/* All parts are joined: what is left to do is to give the pairs' files their names. */
bool se_comments_ends(const se_comments *c);
/* Which of n parts a comment goes to, by bits of the thread's hash that differ between levels. */
int32_t se_comments_part_of(const se_comment *c, int32_t level, int32_t n);

/* A piece of the second part of the work. */
se_status se_comments_join_step(se_comments *c);

#endif
