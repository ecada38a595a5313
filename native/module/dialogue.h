/* One login as the daemon drives it, from HELLO to RESULT. docs/protocol.md, "Turns". */
#ifndef SALLYPORT_DIALOGUE_H
#define SALLYPORT_DIALOGUE_H

#include <stdint.h>

#include <security/pam_modules.h>

#include "context.h"
#include "conv.h"
#include "options.h"
#include "protocol.h"

enum dialogue_state {
    STATE_TALKING = 1,
    STATE_PROMPTED = 2,
    STATE_DONE = 4,
};

/* Holds what was typed; belongs to the caller, who wipes it. */
struct dialogue {
    pam_handle_t *pamh;
    const struct options *options;
    const struct context *context;
    int fd;
    /* Points on conn_now()'s clock. */
    int64_t first_deadline;
    int64_t deadline;

    enum dialogue_state state;
    unsigned frames;
    unsigned prompts;
    int code;
    struct answer answer;
    uint8_t bytes[FRAME_HEADER + FRAME_LENGTH_MAX];
};

/* Returns what pam_sm_authenticate returns. The members up to `deadline` are set, the others zero. */
int dialogue_run(struct dialogue *dialogue);
/* What "no daemon" means on the socket in use; logs `why`. */
int dialogue_unavailable(pam_handle_t *pamh, const struct options *options, const char *why);

#endif
