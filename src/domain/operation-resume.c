/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/operation-resume.h"

#include "domain/services.h"
#include "util/log.h"

typedef struct Resume {
    Domain *domain;
    Operation *operation;
    OperationResumeFunc func;
} Resume;

static void resume_free(Resume *work) {
    if (!work)
        return;
    operation_unref(work->operation);
    domain_unref(work->domain);
    free(work);
}

static void resume(void *userdata) {
    Resume *work = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    int r;

    /* One may have to wait for all of the others. */
    while ((r = domain_job_begin(work->domain, &job, "an operation from before", &error)) < 0 &&
           work->domain->services && !work->domain->services->tasks.stopping)
        error_free(TAKE_PTR(error));

    work->func(work->domain, work->operation, r, error);
    if (r >= 0)
        domain_job_end(work->domain, &job);
    resume_free(work);
}

void operation_resume_start(Domain *domain, Operation *operation, OperationResumeFunc func) {
    Resume *work = calloc(1, sizeof(Resume));

    if (work)
        *work = (Resume){domain_ref(domain), operation_ref(operation), func};
    if (work && fiber_start("resume-operation", resume, work) >= 0)
        return;
    log_warning("domain '%s': out of memory, operation %llu waits for the next vireod",
                domain_name(domain), (unsigned long long)operation->id);
    resume_free(work);
}
