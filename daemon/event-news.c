/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event-news.h"

#include "event-send.h"

static void send_rtc_change(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_RTC_CHANGE,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_RTC_CHANGE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_rtc_change_msg};
    remote_domain_event_callback_rtc_change_msg message = {.dom = dispatch_borrow_domain(domain),
                                                           .offset = news->amount};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_watchdog(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_WATCHDOG, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG,
                                   (xdrproc_t)xdr_remote_domain_event_callback_watchdog_msg};
    remote_domain_event_callback_watchdog_msg message = {.dom = dispatch_borrow_domain(domain),
                                                         .action = news->code};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_io_error(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_IO_ERROR, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR,
                                   (xdrproc_t)xdr_remote_domain_event_callback_io_error_msg};
    remote_domain_event_callback_io_error_msg message = {.dom = dispatch_borrow_domain(domain),
                                                         .srcPath = (char *)news->path,
                                                         .devAlias = (char *)news->alias,
                                                         .action = news->code};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_io_error_reason(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_IO_ERROR_REASON,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON,
                                   (xdrproc_t)xdr_remote_domain_event_callback_io_error_reason_msg};
    remote_domain_event_callback_io_error_reason_msg message = {
        .dom = dispatch_borrow_domain(domain),
        .srcPath = (char *)news->path,
        .devAlias = (char *)news->alias,
        .action = news->code,
        .reason = (char *)news->reason};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static remote_domain_event_graphics_address address(const NewsAddress *from) {
    return (remote_domain_event_graphics_address){
        .family = from->family, .node = (char *)from->node, .service = (char *)from->service};
}

static void send_graphics(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_GRAPHICS, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS,
                                   (xdrproc_t)xdr_remote_domain_event_callback_graphics_msg};
    remote_domain_event_graphics_identity identities[ARRAY_SIZE(news->identities)];
    remote_domain_event_callback_graphics_msg message = {.dom = dispatch_borrow_domain(domain),
                                                         .phase = news->code,
                                                         .local = address(&news->local),
                                                         .remote = address(&news->remote),
                                                         .authScheme = (char *)news->reason};

    for (size_t i = 0; i < news->n_identities; i++) {
        identities[i].type = (char *)news->identities[i].type;
        identities[i].name = (char *)news->identities[i].name;
    }
    message.subject.subject_val = identities;
    message.subject.subject_len = (unsigned)news->n_identities;
    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

/* What is left out at a start has a source before and none then. */
static void send_disk_change(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_DISK_CHANGE,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DISK_CHANGE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_disk_change_msg};
    remote_string path = (char *)news->path;
    remote_domain_event_callback_disk_change_msg message = {.dom = dispatch_borrow_domain(domain),
                                                            .oldSrcPath = &path,
                                                            .devAlias = (char *)news->alias,
                                                            .reason = news->code};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_tray_change(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_TRAY_CHANGE,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_TRAY_CHANGE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_tray_change_msg};
    remote_domain_event_callback_tray_change_msg message = {.dom = dispatch_borrow_domain(domain),
                                                            .devAlias = (char *)news->alias,
                                                            .reason = news->code};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_power(Daemon *daemon, Domain *domain, const DomainNews *news) {
    const EventKind kind = {
        news->id,
        news->id == EVENT_ID_PMWAKEUP    ? REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP
        : news->id == EVENT_ID_PMSUSPEND ? REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND
                                         : REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK,
        (xdrproc_t)xdr_remote_domain_event_callback_pm_msg};
    remote_domain_event_callback_pm_msg message = {.dom = dispatch_borrow_domain(domain)};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_balloon_change(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_BALLOON_CHANGE,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_balloon_change_msg};
    remote_domain_event_callback_balloon_change_msg message = {
        .dom = dispatch_borrow_domain(domain), .actual = (uint64_t)news->amount};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_metadata_change(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_METADATA_CHANGE,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_metadata_change_msg};
    remote_string uri = (char *)news->reason;
    remote_domain_event_callback_metadata_change_msg message = {
        .dom = dispatch_borrow_domain(domain), .type = news->code, .nsuri = uri ? &uri : NULL};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_memory_failure(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {EVENT_ID_MEMORY_FAILURE, REMOTE_PROC_DOMAIN_EVENT_MEMORY_FAILURE,
                                   (xdrproc_t)xdr_remote_domain_event_memory_failure_msg};
    remote_domain_event_memory_failure_msg message = {.dom = dispatch_borrow_domain(domain),
                                                      .recipient = news->code,
                                                      .action = news->action,
                                                      .flags = news->flags};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_memory_size(Daemon *daemon, Domain *domain, const DomainNews *news) {
    static const EventKind kind = {
        EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE, REMOTE_PROC_DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE,
        (xdrproc_t)xdr_remote_domain_event_memory_device_size_change_msg};
    remote_domain_event_memory_device_size_change_msg message = {
        .dom = dispatch_borrow_domain(domain),
        .alias = (char *)news->alias,
        .size = (uint64_t)news->amount};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

void event_send_news(Domain *domain, const DomainNews *news, void *userdata) {
    static void (*const senders[])(Daemon * daemon, Domain * domain, const DomainNews *news) = {
        [EVENT_ID_RTC_CHANGE] = send_rtc_change,
        [EVENT_ID_WATCHDOG] = send_watchdog,
        [EVENT_ID_IO_ERROR] = send_io_error,
        [EVENT_ID_IO_ERROR_REASON] = send_io_error_reason,
        [EVENT_ID_GRAPHICS] = send_graphics,
        [EVENT_ID_DISK_CHANGE] = send_disk_change,
        [EVENT_ID_TRAY_CHANGE] = send_tray_change,
        [EVENT_ID_PMWAKEUP] = send_power,
        [EVENT_ID_PMSUSPEND] = send_power,
        [EVENT_ID_PMSUSPEND_DISK] = send_power,
        [EVENT_ID_BALLOON_CHANGE] = send_balloon_change,
        [EVENT_ID_METADATA_CHANGE] = send_metadata_change,
        [EVENT_ID_MEMORY_FAILURE] = send_memory_failure,
        [EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE] = send_memory_size,
    };

    assert((size_t)news->id < ARRAY_SIZE(senders) && senders[news->id]);
    senders[news->id](userdata, domain, news);
}
