/* Comments of a forum -> pairs of a comment and the reply to it: the rules by which PolyAI's
 * conversational-datasets (reddit/create_data.py) made the Reddit data set.
 *
 * A pair is a comment and its direct parent in the same thread. Both texts have `shortest` to
 * `longest` code points and are not "[deleted]" or "[removed]". In ids every "t<digit>_" is
 * dropped. A comment whose chain of parents does not end (a loop) gives none. Of comments with one
 * id in a thread the last counts. A thread is for training where (1 + md5(thread) mod 4096) / 4096
 * < 0.9, else for testing.
 *
 * Input may be far larger than memory: comments are partitioned by thread on disk, then each
 * partition is joined in memory. A job that was stopped goes on where it was; the same input gives
 * the same output, whatever the threads, the memory and the stops. */
#ifndef SE_DATA_COMMENTS_H
#define SE_DATA_COMMENTS_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_comments se_comments;

typedef struct se_comments_options {
    int32_t shortest, longest; /* code points of a text: 9 and 127 */
    int32_t contexts; /* older ancestors beside the parent: context/0 is the parent's parent; at
                         most 9; cut to `longest` without splitting a word */
    bool all;         /* also subreddit, thread_id, context_author, response_author */
    bool edited;      /* the caller replaces texts: a job that goes on must be one that does, too */
    bool skip_bad;    /* count lines that are no comments, and pass over them */
    int64_t memory;   /* bytes that the job may use; 0: 1 GiB */
} se_comments_options;

typedef struct se_comments_state {
    bool joining;          /* the second part of the work */
    double progress;       /* of that part, 0 to 1 */
    int64_t comments, bad; /* read so far; lines passed over */
    int64_t resumed;       /* comments that were read before this job was opened */
    int64_t train, test;   /* pairs written */
    bool unlocked;         /* OUT's file system has no locks: see io/lock.h */
} se_comments_state;

/* Reads JSON lines (plain, gzip, zstd; "-" is standard input) with id, link_id, parent_id and body
 * (author and subreddit where `all` is set); writes OUT/train.jsonl.gz and OUT/test.jsonl.gz. The
 * work in between is in OUT/parts, which is gone at the end. Fails where OUT has a job of other
 * files or options, or finished pairs, and where another process is at work in it. */
SE_API se_status se_comments_open(const char *out, int32_t n_files, const char *const *files,
                                  const se_comments_options *options, se_comments **job);
SE_API void se_comments_free(se_comments *c); /* NULL is allowed; what was done stays */

/* A piece of the work; *done: the pairs are there. "FILE:LINE: what" for a line that is no comment.
 * SE_ERR_INTERRUPTED comes between two pieces, after what was done is safe. */
SE_API se_status se_comments_step(se_comments *c, bool *done);

/* Makes what was done so far safe, for a job that is closed before it is done. */
SE_API se_status se_comments_save(se_comments *c);
SE_API void se_comments_look(const se_comments *c, se_comments_state *out);

/* The texts of the comments that the last step read, and putting others in their place before they
 * are written: between se_comments_step calls of the first part. text: not 0-ended, lent. */
SE_API int64_t se_comments_texts(const se_comments *c);
SE_API const char *se_comments_text(const se_comments *c, int64_t i, size_t *bytes);
SE_API se_status se_comments_replace(se_comments *c, int64_t i, const char *text, size_t bytes);
/* sembed-cdef-end */

#endif
