#define _GNU_SOURCE

#include "prompt.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include <security/pam_ext.h>

#include "conn.h"
#include "terminal.h"

/* What ends a prompt without ending the login. */
static void send_reply(struct dialogue *dialogue, struct frame_out *out) {
    int64_t deadline = dialogue_silence(dialogue);

    switch (conn_write(dialogue->fd, out->bytes, frame_end(out), deadline)) {
    case CONN_OK:
    case CONN_CLOSED:
        /* A daemon that is gone may have left a RESULT: reading finds it, or the end. */
        dialogue->state = STATE_TALKING;
        break;
    case CONN_INTERRUPTED:
        dialogue_cancel(dialogue, PAM_AUTH_ERR);
        break;
    default:
        dialogue_fail(dialogue, "cannot send the answer");
    }
}

static void send_answer(struct dialogue *dialogue) {
    struct frame_out out = {.bytes = dialogue->bytes, .size = sizeof(dialogue->bytes)};

    frame_begin(&out, FRAME_ANSWER);
    frame_put(&out, TAG_ANSWER, dialogue->answer.bytes, dialogue->answer.length);
    if (dialogue->options->mode == MODE_PROMPT)
        answer_wipe(&dialogue->answer);
    send_reply(dialogue, &out);
}

static void send_withdrawn(struct dialogue *dialogue) {
    struct frame_out out = {.bytes = dialogue->bytes, .size = sizeof(dialogue->bytes)};

    frame_begin(&out, FRAME_WITHDRAWN);
    send_reply(dialogue, &out);
}

static bool ask(struct dialogue *dialogue, const struct wire_frame *frame) {
    int style = frame->style == STYLE_SHOWN ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF;

    if (dialogue->options->mode == MODE_FIRST_PASS)
        return conv_first_pass(dialogue->pamh, &dialogue->answer);
    return conv_ask(dialogue->pamh, style, frame->text, frame->text_length, &dialogue->answer);
}

static void give_up(struct dialogue *dialogue) {
    pam_syslog(dialogue->pamh, LOG_NOTICE, "no answer before timeout= ended (login refused)");
    dialogue_cancel(dialogue, PAM_SYSTEM_ERR);
}

/* One ANSWER, one CANCEL or one WITHDRAWN; the last one is up to what the daemon has sent meanwhile. */
static void ask_at_terminal(struct dialogue *dialogue, const struct wire_frame *frame) {
    if (!dialogue->context->terminal) {
        dialogue_fail(dialogue, "protocol violation: PROMPT for a terminal that HELLO did not offer");
        return;
    }
    dialogue->state = STATE_PROMPTED_AT_TERMINAL;
    switch (terminal_ask(dialogue->fd, frame->text, frame->text_length, dialogue->deadline,
                         &dialogue->answer)) {
    case TERMINAL_ANSWERED:
        dialogue->may_cross = true;
        send_answer(dialogue);
        break;
    case TERMINAL_DAEMON:
        dialogue_step(dialogue);
        break;
    case TERMINAL_TIMEOUT:
        give_up(dialogue);
        break;
    case TERMINAL_CANCELLED:
        dialogue_cancel(dialogue, PAM_AUTH_ERR);
        break;
    default:
        pam_syslog(dialogue->pamh, LOG_ERR, "cannot ask at the terminal: %s (login refused)", strerror(errno));
        dialogue_cancel(dialogue, PAM_AUTH_ERR);
    }
}

/* One ANSWER or one CANCEL, whatever the conversation does; but a RESULT that came meanwhile goes first. */
void prompt_open(struct dialogue *dialogue, const struct wire_frame *frame) {
    dialogue->may_cross = false;
    if (frame->style == STYLE_TERMINAL) {
        ask_at_terminal(dialogue, frame);
        return;
    }
    dialogue->state = STATE_PROMPTED;
    if (dialogue->options->mode == MODE_FIRST_PASS && dialogue->prompts++ > 0) {
        dialogue_fail(dialogue, "protocol violation: second PROMPT with use_first_pass");
        return;
    }
    if (!ask(dialogue, frame)) {
        dialogue_cancel(dialogue, PAM_AUTH_ERR);
        return;
    }
    if (conn_readable(dialogue->fd)) {
        dialogue_step(dialogue);
        return;
    }
    if (conn_now() >= dialogue->deadline) {
        give_up(dialogue);
        return;
    }
    send_answer(dialogue);
}

/* The prompt is gone by now. One that the user has answered is dropped: it crossed the ANSWER on its way. */
void prompt_withdraw(struct dialogue *dialogue, const struct wire_frame *frame) {
    (void)frame;
    if (dialogue->state == STATE_PROMPTED_AT_TERMINAL)
        send_withdrawn(dialogue);
    else if (dialogue->may_cross)
        dialogue->may_cross = false;
    else
        dialogue_fail(dialogue, "protocol violation: WITHDRAW without an open PROMPT");
}
