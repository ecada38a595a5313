#define _GNU_SOURCE

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

enum {
    /* What the keys have for listing: the daemon waits a second. */
    LIST_MS = 700,
    /* How long the keys may take to stop blinking, once there is an outcome. */
    FAREWELL_MS = 500,
    /* How often workers that have to stop are pressed. */
    PRESSING_MS = 25,
    /* KEYS, TOUCH and PIN-WANTED: a type, and at most three fields of a byte. */
    EVENT_SIZE_MAX = FRAME_HEADER + 1 + 3 * (FIELD_HEADER + 1),
};

/* What the daemon did while it was waited for. */
enum heard { HEARD_NOTHING, HEARD_END, HEARD_VIOLATION };

static bool say(const struct frame_out *frame) {
    return frame_write(STDOUT_FILENO, frame);
}

static bool say_keys(struct session *session) {
    uint8_t bytes[EVENT_SIZE_MAX];
    struct frame_out frame = {.bytes = bytes, .size = sizeof(bytes)};

    if (session->keys_announced && session->present_announced == session->present)
        return true;
    session->keys_announced = true;
    session->present_announced = session->present;
    frame_begin(&frame, FRAME_KEYS);
    frame_put_u8(&frame, TAG_COUNT, (uint8_t)session->present);
    return frame_end(&frame) > 0 && say(&frame);
}

static bool say_touch(struct session *session) {
    uint8_t bytes[EVENT_SIZE_MAX];
    struct frame_out frame = {.bytes = bytes, .size = sizeof(bytes)};
    bool blinking = false;

    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < KEYS_MAX; i++)
        blinking = blinking || session->workers[i].blinking;
    pthread_mutex_unlock(&session->lock);
    if (blinking == session->touch_announced)
        return true;
    session->touch_announced = blinking;
    frame_begin(&frame, FRAME_TOUCH);
    return !blinking || (frame_end(&frame) > 0 && say(&frame));
}

/* The PIN request of one worker, unless it was sent already. */
static bool pin_request(struct worker *worker, struct frame_out *frame) {
    bool open;

    pthread_mutex_lock(&worker->session->lock);
    open = !worker->stop && worker->ask != 0 && !worker->ask_announced;
    if (open) {
        worker->ask_announced = true;
        frame_begin(frame, FRAME_PIN_WANTED);
        frame_put_u8(frame, TAG_ASK, worker->ask);
        frame_put_u8(frame, TAG_WHY, (uint8_t)worker->why);
        if (worker->retries >= 0 && worker->retries <= UINT8_MAX)
            frame_put_u8(frame, TAG_RETRIES, (uint8_t)worker->retries);
    }
    pthread_mutex_unlock(&worker->session->lock);
    return open && frame_end(frame) > 0;
}

static bool say_pin_requests(struct session *session) {
    uint8_t bytes[EVENT_SIZE_MAX];
    struct frame_out frame = {.bytes = bytes, .size = sizeof(bytes)};

    for (size_t i = 0; i < KEYS_MAX; i++) {
        if (!pin_request(&session->workers[i], &frame))
            continue;
        session->touch_announced = false;
        if (!say(&frame))
            return false;
    }
    return true;
}

static void hand_over(struct session *session, const char *pin, uint8_t ask) {
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        struct worker *worker = &session->workers[i];

        if (worker->ask == 0 || worker->ask != ask || !worker->ask_announced)
            continue;
        memcpy(worker->pin, pin, sizeof(worker->pin));
        worker->ask = 0;
        pthread_cond_broadcast(&session->changed);
    }
    pthread_mutex_unlock(&session->lock);
}

/*
 * Invariants: only a PIN is accepted, for a request that was sent; one for a request that is no longer open (the key
 * is gone) is dropped, and not given to another request. Nothing of it stays here.
 */
static enum heard hear(struct session *session, struct frame_in *in) {
    enum heard heard = HEARD_NOTHING;
    char pin[PIN_FIELD_MAX + 1];
    uint8_t ask = 0;

    switch (frame_read(STDIN_FILENO, in)) {
    case READ_MORE:
        return HEARD_NOTHING;
    case READ_END:
        return HEARD_END;
    case READ_BAD:
        return HEARD_VIOLATION;
    case READ_FRAME:
        break;
    }
    if (!request_parse_pin(in->body, in->length, pin, &ask) || ask == 0 || ask > session->asks)
        heard = HEARD_VIOLATION;
    else
        hand_over(session, pin, ask);
    explicit_bzero(pin, sizeof(pin));
    frame_reset(in);
    return heard;
}

/* Waits for the daemon, a worker, or so many milliseconds. */
static enum heard wait_for(struct session *session, struct frame_in *in, int64_t milliseconds) {
    struct pollfd entries[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = session->wake[0], .events = POLLIN}};
    uint8_t drained[64];

    if (milliseconds < 0)
        milliseconds = 0;
    if (poll(entries, in == NULL ? 0 : 2, (int)milliseconds) < 0)
        return HEARD_NOTHING;
    while (in != NULL && (entries[1].revents & POLLIN) != 0) {
        ssize_t got = read(session->wake[0], drained, sizeof(drained));

        /* The handler of SIGTERM writes a T. */
        if (got > 0 && memchr(drained, 'T', (size_t)got) != NULL)
            return HEARD_END;
        if (got != (ssize_t)sizeof(drained))
            break;
    }
    return in != NULL && entries[0].revents != 0 ? hear(session, in) : HEARD_NOTHING;
}

static void decide(struct session *session, enum failure_reason reason, const char *detail) {
    pthread_mutex_lock(&session->lock);
    if (!session->decided) {
        failure_frame(&session->outcome, reason, detail);
        session->decided = frame_end(&session->outcome) > 0;
    }
    pthread_mutex_unlock(&session->lock);
}

static void decide_late(struct session *session) {
    if (session->present == 0)
        decide(session, REASON_NO_KEY, "no key is plugged in");
    else if (workers_all_failed(session))
        decide(session, REASON_KEY_FAILED, "every key failed");
    else
        decide(session, REASON_NO_TOUCH, "no key was touched in time");
}

static bool is_decided(struct session *session) {
    bool decided;

    pthread_mutex_lock(&session->lock);
    decided = session->decided;
    pthread_mutex_unlock(&session->lock);
    return decided;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* False: a violation, or the daemon no longer reads. */
static bool ask_keys(struct session *session, struct frame_in *in) {
    while (!is_decided(session)) {
        int64_t now = session_now();
        bool pressing;

        if (now >= session->look_next)
            workers_look(session);
        workers_reap(session);
        if (!say_keys(session) || !say_touch(session) || !say_pin_requests(session))
            return false;
        workers_start(session);
        if (workers_all_failed(session))
            decide(session, REASON_KEY_FAILED, "every key failed");
        pressing = workers_press(session);
        if (now >= session->deadline) {
            decide_late(session);
        } else if (!is_decided(session)) {
            int64_t until = least(session->deadline, session->look_next);
            enum heard heard = wait_for(session, in, least(until - now, pressing ? PRESSING_MS : until - now));

            if (heard == HEARD_VIOLATION)
                return false;
            if (heard == HEARD_END)
                decide(session, REASON_CANCELLED, "the daemon ended the call");
        }
    }
    return true;
}

/* Each key says whether it is a FIDO2 one; a key that has not said so in time does not count as one. */
static bool list_keys(struct session *session, struct frame_in *in) {
    int64_t until = least(session->deadline, session_now() + LIST_MS);
    bool open = true;

    workers_look(session);
    workers_start(session);
    while (open && session_now() < until) {
        open = false;
        pthread_mutex_lock(&session->lock);
        for (size_t i = 0; i < KEYS_MAX; i++)
            open = open || (session->workers[i].running && !session->workers[i].ended);
        pthread_mutex_unlock(&session->lock);
        if (open && wait_for(session, in, until - session_now()) != HEARD_NOTHING)
            return false;
    }
    pthread_mutex_lock(&session->lock);
    frame_begin(&session->outcome, FRAME_LISTED);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct worker *worker = &session->workers[i];

        if (!worker->present)
            continue;
        frame_put(&session->outcome, TAG_KEY_NAME, worker->plugged.name, strlen(worker->plugged.name));
        frame_put_u8(&session->outcome, TAG_FIDO2, worker->fido2 ? 1 : 0);
    }
    session->decided = frame_end(&session->outcome) > 0;
    pthread_mutex_unlock(&session->lock);
    return session->decided;
}

/* No key blinks on when the call is over; one that does not listen is left to the end of the process. */
static void farewell(struct session *session) {
    int64_t until = session_now() + FAREWELL_MS;

    for (size_t i = 0; i < KEYS_MAX; i++)
        workers_stop(&session->workers[i]);
    while (workers_press(session) && session_now() < until) {
        (void)wait_for(session, NULL, PRESSING_MS / 5);
        workers_reap(session);
    }
}

bool session_run(struct session *session, const struct request *request, int64_t started) {
    struct frame_in in = {.have = 0};
    pthread_condattr_t monotonic;
    bool good;

    session->request = request;
    session->outcome = (struct frame_out){.bytes = session->outcome_bytes, .size = sizeof(session->outcome_bytes)};
    session->deadline = started + request->deadline;
    for (size_t i = 0; i < KEYS_MAX; i++)
        session->workers[i].session = session;
    (void)pthread_mutex_init(&session->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&session->changed, &monotonic);
    good = request->type == FRAME_LIST ? list_keys(session, &in) : ask_keys(session, &in);
    good = good && say(&session->outcome);
    farewell(session);
    frame_reset(&in);
    return good;
}
