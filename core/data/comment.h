/* One comment: as parsed, and as it lies in a partition. */
#ifndef SE_DATA_COMMENT_H
#define SE_DATA_COMMENT_H

#include "data/blob.h"
#include "data/comments.h"
#include "io/json.h"

enum {
    SE_COMMENT_ID,
    SE_COMMENT_THREAD,
    SE_COMMENT_PARENT,
    SE_COMMENT_AUTHOR,
    SE_COMMENT_SUBREDDIT,
    SE_COMMENT_BODY,
    SE_COMMENT_FIELDS
};

typedef struct se_comment {
    const char *text[SE_COMMENT_FIELDS];
    uint32_t bytes[SE_COMMENT_FIELDS];
    bool skip; /* not a text of a pair, by length or as it was deleted */
    /* where the texts are when it was parsed: */
    se_json *root;
    char *ids, *body; /* ids without prefixes; a body of our own, or NULL */
} se_comment;

/* Parses a line. Fails with "FILE:LINE: what". */
se_status se_comment_parse(const char *line, size_t bytes, const char *file, int64_t number,
                           bool all, se_comment *out);
void se_comment_free(se_comment *c); /* of a parsed one */

/* Applies the rules to the body: sets skip, and cuts what is longer than `longest` code points at
 * the last place where a word ends or begins; a body that is skipped is dropped where no older
 * contexts are wanted. */
void se_comment_judge(se_comment *c, const se_comments_options *options);

/* Appends the comment to a partition, and reads it back: the bytes it takes, 0 where it does not
 * lie within `bytes`. */
se_status se_comment_write(const se_comment *c, se_blob *to);
size_t se_comment_read(const char *data, size_t bytes, se_comment *out);

/* 64 bits of the thread's id: decide about the partition. */
uint64_t se_comment_thread(const se_comment *c);

/* Whether a thread is for training. */
bool se_comment_trains(const char *thread, size_t bytes);

#endif
