/* Which pictures an epoch goes over, and in which roles. */
#ifndef DATA_EPOCH_PLAN_H
#define DATA_EPOCH_PLAN_H

#include "image/picture_source.h"

#include <stddef.h>

/* Pictures and the group that each is in: its class, where there are classes. Balancing, held-out shares and stand-ins
 * for unreadable pictures go by groups; nothing else is known of what a group means. */
typedef struct {
    const picture_source *source;
    const uint16_t *group; /* [count]; NULL: all are in the one group that there is */
    int group_count;
    const char *const *group_names; /* [group_count] for messages */
} picture_set;
static inline int picture_group(const picture_set *set, int64_t picture)
{
    return set->group ? set->group[picture] : 0;
}

/* A subset: numbers of pictures, in the source's order. */
typedef struct {
    uint32_t *index; /* owned */
    int64_t count;
} subset;
MIEN_MUST_USE mien_status subset_all(subset *out, const picture_set *set);
/* Per group the last `share` (0 <= share < 1) is `held`, the rest `kept`: rounded, but at least one where share > 0 and
 * the group has two, and never all. */
MIEN_MUST_USE mien_status subset_split(subset *kept, subset *held, const picture_set *set, double share);
void subset_free(subset *s);

/* The plan of an epoch. Balancing (spec 1.1): every group brought up to the largest by copies of its own pictures. Item
 * i < kept count is original i; then come the copies, group by group: copy j of a group is its original j mod n.
 * Nothing is materialised. */
typedef struct {
    const picture_set *set;
    const subset *items;
    int64_t total;        /* originals + copies */
    int64_t *group_size;  /* [groups], owned */
    int64_t *copy_begin;  /* [groups + 1] item number of the group's first copy, owned */
    uint32_t *by_group;   /* positions in items, group by group, owned */
    int64_t *group_begin; /* [groups + 1] into by_group, owned */
    int group_count;
} epoch_plan;
MIEN_MUST_USE mien_status epoch_plan_create(epoch_plan *out, const picture_set *set, const subset *items,
                                            bool is_balanced);
void epoch_plan_free(epoch_plan *p);
/* Which picture item is, and its copy number (-1: an original). */
int64_t epoch_plan_item(const epoch_plan *p, int64_t item, int64_t *out_copy);
/* The place of an item's original among those of its group, counted in by_group. */
int64_t epoch_plan_position(const epoch_plan *p, int64_t item);

#endif
