/* A set of texts, by their hashes, that is emptied often: open addressing. */
#ifndef SE_DATA_TEXTSET_H
#define SE_DATA_TEXTSET_H

#include "base.h"

typedef struct se_text_set {
    struct se_text_slot {
        uint64_t hash, stamp; /* in use while the stamp is the set's */
        int64_t number;       /* of the text: how many there were before it */
    } * slot;
    uint64_t slots, stamp;
    int64_t count;
} se_text_set;

/* Empties the set and makes room for `most` texts. All zero is a set without room. */
se_status se_text_set_start(se_text_set *s, int64_t most);
bool se_text_set_has(const se_text_set *s, uint64_t hash);
/* Adds the text if it is not there; gives its number. */
int64_t se_text_set_add(se_text_set *s, uint64_t hash);
void se_text_set_free(se_text_set *s);

#endif
