/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest is told by its agent, or as a machine: time, passwords, keys of users, sleep. All
 * suspend, hold no job, and say ERROR_AGENT_UNRESPONSIVE when nobody is behind the channel. */
#pragma once

#include "domain/domain.h"

/* Since 1970, UTC. `sync`: the guest takes the time of its clock, and the numbers are not used. */
int driver_set_guest_time(Domain *domain, int64_t seconds, unsigned nanoseconds, bool sync,
                          Error **reterr);
/* `encrypted`: the password is as crypt(3) gives it. */
int driver_set_user_password(Domain *domain, const char *user, const char *password, bool encrypted,
                             Error **reterr);
/* The lines of a user's ~/.ssh/authorized_keys: {"keys": [...]}; the caller puts *ret. */
int driver_get_ssh_keys(Domain *domain, const char *user, json_object **ret, Error **reterr);
typedef enum SshKeysChange { SSH_KEYS_REPLACE, SSH_KEYS_APPEND, SSH_KEYS_REMOVE } SshKeysChange;
int driver_set_ssh_keys(Domain *domain, const char *user, char *const *keys, size_t n,
                        SshKeysChange how, Error **reterr);
/* The agent shuts the guest down or reboots it; nobody waits for that. The errors of an agent that
 * is not there. */
int driver_agent_stop(Domain *domain, bool reboot, Error **reterr);
/* libvirt's virNodeSuspendTarget: 0 memory, 1 disk, 2 both. */
int driver_pm_suspend(Domain *domain, unsigned target, Error **reterr);
int driver_pm_wakeup(Domain *domain, Error **reterr);
/* How long the agent is waited for: seconds, or AGENT_BLOCK, AGENT_DEFAULT, AGENT_NO_WAIT. */
int driver_set_agent_timeout(Domain *domain, int timeout, Error **reterr);
