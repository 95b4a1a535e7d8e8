/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of what differs. */
#include "limits/report.h"

#include <inttypes.h>

void limit_mending_next(LimitMending *mending, const char *label) {
    limit_mending_done(mending);
    mending->label = label;
}

void limit_mending_done(LimitMending *mending) {
    cgroup_state_done(&mending->state);
    mending->state = (CgroupState){0};
    mending->has_state = mending->read_state = false;
}

void limit_differs(LimitMending *mending, const char *what, const char *is, const char *wanted) {
    assert(mending->label);
    if (mending->out)
        fprintf(mending->out, "%s: %s was '%s', is '%s' again\n", mending->label, what, is, wanted);
    mending->n++;
}

bool limit_set_differs(LimitMending *mending, const char *what, const Bitmap *is,
                       const Bitmap *wanted) {
    CLEANUP_FREE char *is_text = NULL, *wanted_text = NULL;

    if (!wanted || (is && bitmap_equal(is, wanted)))
        return false;
    is_text = is ? bitmap_format(is) : strdup("");
    wanted_text = bitmap_format(wanted);
    limit_differs(mending, what, is_text ? is_text : "?", wanted_text ? wanted_text : "?");
    return true;
}

bool limit_number_differs(LimitMending *mending, const char *what, int64_t is, int64_t wanted) {
    char is_text[24], wanted_text[24];

    if (!wanted || is == wanted || (is < 0 && wanted < 0))
        return false;
    snprintf(is_text, sizeof(is_text), "%" PRId64, is);
    snprintf(wanted_text, sizeof(wanted_text), "%" PRId64, wanted);
    limit_differs(mending, what, is_text, wanted_text);
    return true;
}

const CgroupState *limit_state(LimitMending *mending, const LimitTarget *target) {
    if (!mending->read_state && target->tree)
        mending->has_state = cgroup_tree_get(target->tree, target->child, &mending->state, NULL) >=
                             0;
    mending->read_state = true;
    return mending->has_state ? &mending->state : NULL;
}

Bitmap *limit_bounded(LimitMending *mending, const LimitTarget *target, const Bitmap *wanted) {
    Bitmap *left = bitmap_copy(wanted);
    CLEANUP_FREE char *wanted_text = NULL, *left_text = NULL;

    assert(!target->bound || mending->bound_name);
    if (!left || !target->bound || bitmap_is_subset(wanted, target->bound))
        return left;
    bitmap_intersect(left, target->bound);
    wanted_text = bitmap_format(wanted);
    left_text = bitmap_format(left);
    if (mending->out)
        fprintf(mending->out, "%s: its CPUs '%s' are clipped to '%s', what cgroup '%s' has\n",
                mending->label, wanted_text ? wanted_text : "?", left_text ? left_text : "?",
                mending->bound_name);
    return left;
}
