#define _GNU_SOURCE

#include "dialogue.h"

#include <string.h>
#include <syslog.h>

#include <security/pam_ext.h>

#include "conn.h"
#include "prompt.h"
#include "wire.h"

#ifdef SALLYPORT_FUZZING
enum { SILENCE_MS = 10 };
#else
enum { SILENCE_MS = 15000 };
#endif

/* A frame that may come in the states of `allowed`, and what to do with it. */
struct dispatch {
    enum frame_type type;
    unsigned allowed;
    void (*handle)(struct dialogue *dialogue, const struct wire_frame *frame);
};

static void finish(struct dialogue *dialogue, int code) {
    dialogue->state = STATE_DONE;
    dialogue->code = code;
}

void dialogue_fail(struct dialogue *dialogue, const char *why) {
    pam_syslog(dialogue->pamh, LOG_ERR, "%s (login refused)", why);
    finish(dialogue, PAM_SYSTEM_ERR);
}

void dialogue_cancel(struct dialogue *dialogue, int code) {
    uint8_t bytes[FRAME_HEADER + 1];
    struct frame_out out = {.bytes = bytes, .size = sizeof(bytes)};

    frame_begin(&out, FRAME_CANCEL);
    (void)conn_write(dialogue->fd, bytes, frame_end(&out), conn_now());
    finish(dialogue, code);
}

int64_t dialogue_silence(const struct dialogue *dialogue) {
    int64_t deadline = conn_now() + SILENCE_MS;

    return deadline < dialogue->deadline ? deadline : dialogue->deadline;
}

int dialogue_unavailable(pam_handle_t *pamh, const struct options *options, const char *why) {
    pam_syslog(pamh, LOG_ERR, "%s: %s; is sallyportd running?", options->socket, why);
    return options->root ? PAM_AUTHINFO_UNAVAIL : PAM_SYSTEM_ERR;
}

static void on_info(struct dialogue *dialogue, const struct wire_frame *frame) {
    if (!conv_show(dialogue->pamh, PAM_TEXT_INFO, frame->text, frame->text_length))
        dialogue_cancel(dialogue, PAM_AUTH_ERR);
}

static void on_error(struct dialogue *dialogue, const struct wire_frame *frame) {
    if (!conv_show(dialogue->pamh, PAM_ERROR_MSG, frame->text, frame->text_length))
        dialogue_cancel(dialogue, PAM_AUTH_ERR);
}

static void on_wait(struct dialogue *dialogue, const struct wire_frame *frame) {
    (void)dialogue;
    (void)frame;
}

/* The part of the answer before the code is the password for the lines that follow. */
static bool pass_on(struct dialogue *dialogue, uint16_t strip) {
    struct answer *answer = &dialogue->answer;

    if (dialogue->options->mode == MODE_PROMPT || !answer->given)
        return true;
    answer->length -= strip;
    explicit_bzero(answer->bytes + answer->length, sizeof(answer->bytes) - answer->length);
    return pam_set_item(dialogue->pamh, PAM_AUTHTOK, answer->bytes) == PAM_SUCCESS;
}

/*
 * SUCCESS and IGNORE open the way. They MUST
 * - be the daemon's own word, in a RESULT that is whole (wire_parse);
 * - not come while the daemon waits for an answer that it cannot have verified;
 * - be for the user that HELLO named;
 * - not strip more than was typed.
 */
static void on_result(struct dialogue *dialogue, const struct wire_frame *frame) {
    bool opens = frame->code == PAM_SUCCESS || frame->code == PAM_IGNORE;
    size_t most = dialogue->options->mode == MODE_PROMPT ? 0 : dialogue->answer.length;

    if (!opens)
        finish(dialogue, (int)frame->code);
    else if (dialogue->state != STATE_TALKING)
        dialogue_fail(dialogue, "protocol violation: the daemon accepted an answer that was not sent");
    else if (frame->strip > most)
        dialogue_fail(dialogue, "protocol violation: strip is longer than the answer");
    else if (!context_same_user(dialogue->pamh, dialogue->context))
        dialogue_fail(dialogue, "the program changed PAM_USER during the call");
    else if (!pass_on(dialogue, frame->strip))
        dialogue_fail(dialogue, "cannot set PAM_AUTHTOK");
    else
        finish(dialogue, (int)frame->code);
}

static const struct dispatch dispatch_table[] = {
    {FRAME_INFO, STATE_TALKING, on_info},
    {FRAME_ERROR, STATE_TALKING | STATE_PROMPTED | STATE_PROMPTED_AT_TERMINAL, on_error},
    {FRAME_PROMPT, STATE_TALKING, prompt_open},
    {FRAME_WAIT, STATE_TALKING, on_wait},
    {FRAME_WITHDRAW, STATE_TALKING | STATE_PROMPTED_AT_TERMINAL, prompt_withdraw},
    {FRAME_RESULT, STATE_TALKING | STATE_PROMPTED | STATE_PROMPTED_AT_TERMINAL, on_result},
};

enum { DISPATCHES = sizeof(dispatch_table) / sizeof(dispatch_table[0]) };

static void dispatch(struct dialogue *dialogue, const struct wire_frame *frame) {
    if (frame->type != FRAME_RESULT && conn_now() >= dialogue->deadline) {
        dialogue_fail(dialogue, "no decision before timeout= ended");
        return;
    }
    for (size_t i = 0; i < DISPATCHES; i++) {
        const struct dispatch *entry = &dispatch_table[i];

        if ((uint8_t)entry->type != frame->type || (entry->allowed & dialogue->state) == 0)
            continue;
        entry->handle(dialogue, frame);
        return;
    }
    dialogue_fail(dialogue, "protocol violation: unexpected frame");
}

/*
 * A stack may let AUTHINFO_UNAVAIL pass. It MUST mean that there is no daemon: not one byte came.
 * A daemon that responded and then stopped, or died, is not absent.
 */
static void fail_to_read(struct dialogue *dialogue, enum conn_status status, size_t got) {
    bool silent = dialogue->frames == 0 && got == 0;

    if (status == CONN_INTERRUPTED)
        dialogue_cancel(dialogue, PAM_AUTH_ERR);
    else if (silent && status == CONN_CLOSED)
        finish(dialogue, dialogue_unavailable(dialogue->pamh, dialogue->options,
                                              "connection closed without a response"));
    else if (silent && status == CONN_TIMEOUT)
        finish(dialogue, dialogue_unavailable(dialogue->pamh, dialogue->options, "no response"));
    else if (status == CONN_CLOSED)
        dialogue_fail(dialogue, "connection closed before a decision");
    else if (status == CONN_TIMEOUT)
        dialogue_fail(dialogue, "the daemon stopped responding");
    else
        dialogue_fail(dialogue, "cannot read from the socket");
}

void dialogue_step(struct dialogue *dialogue) {
    struct wire_frame frame;
    size_t got = 0;
    size_t length;
    int64_t deadline = dialogue->frames == 0 ? dialogue->first_deadline : dialogue_silence(dialogue);
    enum conn_status status;

    status = conn_read(dialogue->fd, dialogue->bytes, FRAME_HEADER, &got, deadline);
    if (status != CONN_OK) {
        fail_to_read(dialogue, status, got);
        return;
    }
    length = frame_length(dialogue->bytes);
    if (length == 0) {
        dialogue_fail(dialogue, "protocol violation: invalid frame length");
        return;
    }
    status = conn_read(dialogue->fd, dialogue->bytes, length, &got, deadline);
    if (status != CONN_OK) {
        fail_to_read(dialogue, status, FRAME_HEADER + got);
        return;
    }
    if (!wire_parse(dialogue->bytes, length, &frame)) {
        dialogue_fail(dialogue, "protocol violation: malformed frame");
        return;
    }
    dialogue->frames++;
    dispatch(dialogue, &frame);
}

/* A daemon that closes at once (too many connections) still has a RESULT to read: so CONN_CLOSED goes on. */
static void send_hello(struct dialogue *dialogue) {
    int64_t left = dialogue->deadline - conn_now();
    size_t length = context_hello(dialogue->context, dialogue->options, left > 0 ? (uint32_t)left : 0,
                                  dialogue->bytes, sizeof(dialogue->bytes));
    enum conn_status status = CONN_FAILED;

    if (length > 0)
        status = conn_write(dialogue->fd, dialogue->bytes, length, dialogue->first_deadline);
    /* Silence begins here: a program that was not run before must not take it for that of the daemon. */
    dialogue->first_deadline = conn_now() + FIRST_FRAME_MS;
    if (status == CONN_OK || status == CONN_CLOSED)
        dialogue->state = STATE_TALKING;
    else
        fail_to_read(dialogue, status, 0);
}

int dialogue_run(struct dialogue *dialogue) {
    dialogue->code = PAM_SYSTEM_ERR;
    send_hello(dialogue);
    while (dialogue->state != STATE_DONE)
        dialogue_step(dialogue);
    if (dialogue->options->debug)
        pam_syslog(dialogue->pamh, LOG_DEBUG, "frames: %u, code: %d", dialogue->frames, dialogue->code);
    return dialogue->code;
}
