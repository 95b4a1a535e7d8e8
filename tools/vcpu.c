/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks for a domain's vCPU counts and maps. */
#include "vcpu.h"

int vcpu_get_count(Tool *tool, const remote_domain *dom, unsigned flags, Error **reterr) {
    remote_domain_flags_args call = {.dom = *dom, .flags = flags};
    remote_int_ret ret = {0};
    int r = CALL(tool, DOMAIN_GET_VCPUS_FLAGS, remote_domain_flags_args, &call, remote_int_ret,
                 &ret, reterr);

    return r < 0 ? r : ret.value;
}

int vcpu_ask(Tool *tool, int procedure, const remote_domain *dom) {
    remote_domain_args call = {.dom = *dom};
    remote_int_ret ret = {0};
    int r = tool_call(tool, procedure, (xdrproc_t)xdr_remote_domain_args, &call,
                      (xdrproc_t)xdr_remote_int_ret, &ret, NULL);

    return r < 0 ? r : ret.value;
}

int vcpu_host_cpus(Tool *tool) {
    remote_node_get_cpu_map_args call = {0};
    remote_node_get_cpu_map_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    int n;

    if (CALL(tool, NODE_GET_CPU_MAP, remote_node_get_cpu_map_args, &call,
             remote_node_get_cpu_map_ret, &ret, &error) < 0)
        return tool_failed(error);
    n = ret.ret;
    xdr_free((xdrproc_t)xdr_remote_node_get_cpu_map_ret, &ret);
    return n > 0 && n <= VCPUS_MAX ? n : tool_fail(NULL, "the server reports %d CPUs", n);
}

int vcpu_get_pins(Tool *tool, const remote_domain *dom, int n, int n_cpus, unsigned flags,
                  remote_domain_get_vcpu_pin_info_ret *ret, Error **reterr) {
    remote_domain_get_vcpu_pin_info_args call = {
        .dom = *dom, .ncpumaps = n, .maplen = (int)vcpu_map_len(n_cpus), .flags = flags};

    return CALL(tool, DOMAIN_GET_VCPU_PIN_INFO, remote_domain_get_vcpu_pin_info_args, &call,
                remote_domain_get_vcpu_pin_info_ret, ret, reterr);
}

const uint8_t *vcpu_pin_of(const remote_domain_get_vcpu_pin_info_ret *pins, size_t id,
                           size_t map_len) {
    if (id >= (size_t)MAX_OF(pins->num, 0) || (id + 1) * map_len > pins->cpumaps.cpumaps_len)
        return NULL;
    return (uint8_t *)pins->cpumaps.cpumaps_val + id * map_len;
}
