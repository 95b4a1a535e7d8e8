/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects that have a name and a uuid and are active or not: storage pools and networks. Their
 * calls are alike, and a network is the same on the wire as a pool. */
#pragma once

#include "vireo.h"

typedef remote_storage_pool Named;

typedef struct NamedKind {
    const char *noun; /* "Pool" */
    const char *word; /* "pool": in sentences, and the option that names one */
    int by_name, by_uuid, list, define, create_xml, start, destroy, undefine, get_xml;
    int get_autostart, set_autostart, is_active, is_persistent;
    bool flags; /* define, create_xml and start take flags */
} NamedKind;

extern const NamedKind named_pool, named_network;

static inline void named_done(Named *object) {
    xdr_free((xdrproc_t)xdr_remote_storage_pool, (char *)object);
}
#define CLEANUP_NAMED CLEANUP(named_done)

/* The one with this name or uuid; says when there is none. */
int named_find(Tool *tool, const NamedKind *kind, const char *text, Named *ret);
/* That of the option kind->word. */
int named_lookup(Tool *tool, const NamedKind *kind, const Args *args, Named *ret);

/* A call that takes just the object, and flags when with_flags, and what is said of it: "Failed to
 * <verb> pool x", "Pool x <done>". */
int named_act(Tool *tool, const NamedKind *kind, const Args *args, int procedure, bool with_flags,
              unsigned flags, const char *verb, const char *done);
/* A call that answers a number; -1 when it cannot. */
int named_ask(Tool *tool, int procedure, const Named *object);

int named_autostart(Tool *tool, const NamedKind *kind, const Args *args);
int named_dumpxml(Tool *tool, const NamedKind *kind, const Args *args, unsigned flags);
/* From the XML of the option --file: defines it, or creates it when `create`. */
int named_from_file(Tool *tool, const NamedKind *kind, const Args *args, bool create,
                    unsigned flags);
/* The same from XML; `from` is for messages, NULL: none. */
int named_from_xml(Tool *tool, const NamedKind *kind, bool create, char *xml, unsigned flags,
                   const char *name, const char *from);

/* All of the flags (virConnectListAll...Flags), sorted by name. The caller xdr_frees the result. */
int named_list(Tool *tool, const NamedKind *kind, unsigned flags,
               remote_connect_list_all_storage_pools_ret *ret);
/* The flags that the list options mean which both kinds have: --all, --inactive, --persistent,
 * --transient, --autostart, --no-autostart. */
unsigned named_list_flags(const Args *args);

/* --uuid and --name converters. */
int named_print_uuid(Tool *tool, const NamedKind *kind, const Args *args);
int named_print_name(Tool *tool, const NamedKind *kind, const Args *args);
