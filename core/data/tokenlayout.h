/* How a token file lies on disk (all numbers little-endian):
 *
 *   head       se_token_head, then its JSON text, filled up to 64 bytes
 *   blocks     each se_token_block, then the arrays of its pairs; PAIRS pairs, the last one fewer
 *   tail       int64 offset[blocks + 1]; se_source_place[blocks], where each begins in the sources;
 *              int64 bucket[SE_TOKEN_BUCKETS]; filled up
 *   end        se_token_end, the last bytes of the file
 *
 * A file that is being made has no tail and no end; each of its blocks says how it goes on.
 *
 * List number pair * columns + column of a block is what a pair's text is drawn from: with `lists`
 * in the head, the texts first[list] up to first[list + 1] of the block, none where the text is
 * another one of the list before; without it, text number `list` alone. */
#ifndef SE_DATA_TOKENLAYOUT_H
#define SE_DATA_TOKENLAYOUT_H

#include "data/source.h"
#include "data/tokenfile.h"

enum { SE_TOKEN_VERSION = 3, SE_TOKEN_ALIGN = 64 };
#define SE_TOKEN_MAGIC 0x316b6f7464626d73u       /* "smbdtok1" */
#define SE_TOKEN_BLOCK_MAGIC 0x6b636f6c626b6f74u /* "tokblock" */

typedef struct se_token_head {
    uint64_t magic;
    uint32_t version, pairs_in_block;
    uint32_t columns, wide; /* wide: ids have 32 bits, else 16 */
    uint64_t facts, text; /* bytes: the JSON text of the facts, with a line break behind it; all of
                             the text, which goes on with the list of the columns' names */
    uint64_t lists;       /* whether a list may have other than one text */
    uint64_t unused[2];
} se_token_head;

/* The block: this, hash[texts], start[texts + 1], first[pairs * columns + 1] (with lists),
 * cut[texts], ids[start[texts]], filled up. */
typedef struct se_token_block {
    uint64_t magic;
    int64_t number, pairs, tokens, bytes; /* bytes: of the whole block */
    se_source_place after;                /* where the sources go on behind it */
    uint64_t check; /* XXH64 of what follows, with the check of the block before as seed */
    int64_t texts;
    uint64_t unused[4];
    se_column_stats stats[SE_MAX_COLUMNS]; /* of all blocks so far */
} se_token_block;

typedef struct se_token_end {
    int64_t pairs, blocks, tail; /* tail: its offset */
    uint64_t check;              /* of the last block: tells these pairs from others */
    uint64_t tail_check;         /* XXH64 of the tail and the numbers above */
    uint64_t unused[2];
    uint64_t magic;
} se_token_end;

_Static_assert(sizeof(se_token_head) == 64 && sizeof(se_token_end) == 64, "token file layout");
_Static_assert(sizeof(se_token_block) % SE_TOKEN_ALIGN == 0, "token file layout");

/* The arrays of a block. */
typedef struct se_token_arrays {
    const uint64_t *hash;
    const uint32_t *start;
    const uint32_t *first; /* NULL: without lists */
    const uint8_t *cut;
    const void *ids;     /* uint16_t or int32_t */
    int64_t texts, room; /* room: ids that there is room for */
} se_token_arrays;

/* Where they begin behind the block's first byte; bytes: the block's length, filled up. lists: how
 * many, 0 without them. */
typedef struct se_token_offsets {
    int64_t hash, start, first, cut, ids, bytes;
} se_token_offsets;
se_token_offsets se_token_place(int64_t texts, int64_t lists, int64_t tokens, bool wide);

/* What a token file is made from (tokenfile.h, se_token_job_open). */
typedef struct se_token_inputs {
    int32_t n_files, n_columns;
    const char *const *files, *const *columns;
    const se_tokenizer *tokenizer;
    int32_t max_tokens;
} se_token_inputs;

/* The facts as one line of JSON, its line break included; freed by free(). */
se_status se_token_facts(const se_token_inputs *in, char **out);
/* A source as it stands in the facts: its path, and size and time of its file or files. */
se_status se_token_source(const char *file, struct se_json **out);
/* The name of the file: the same for the same sources whatever they hold. One that has standard
 * input among its sources begins with SE_TOKEN_INPUT. */
#define SE_TOKEN_INPUT "standard-input-"
se_status se_token_name(const se_token_inputs *in, const char *facts, char out[128]);
/* Removes what a job that ended suddenly left at a path, but not what another process has locked.
 */
void se_token_remove_stray(const char *path);
/* The same for all that came from standard input: it is of no use to another process, not even to
 * one with the same number. */
se_status se_token_remove_inputs(const char *folder);
/* JSON as such a line; the columns' names as JSON, freed by se_json_free. */
se_status se_token_line(const struct se_json *v, char **out);
se_status se_token_names(const se_columns *c, struct se_json **out);
/* Whether an open file has these facts. */
bool se_token_file_has(const se_token_file *f, const char *facts);

/* Bytes of the tail, filled up. */
int64_t se_token_tail(int64_t blocks);

/* Which of SE_TOKEN_BUCKETS parts a pair is in, by the hash of its first text. */
int32_t se_token_bucket(uint64_t hash);

#endif
