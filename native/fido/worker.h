/* What a worker may do: everything that passes between it and the main thread. */
#ifndef SALLYPORT_FIDO_WORKER_H
#define SALLYPORT_FIDO_WORKER_H

#include "session.h"

/* The body of the thread. */
void *worker_main(void *worker);

bool worker_stopped(struct worker *worker);
/*
 * Milliseconds that libfido2 may wait for the key. MUST be beyond the deadline and the farewell: what ends a wait
 * is a cancel, and a worker that gave up before it would leave the key blinking.
 */
int worker_patience(const struct worker *worker);
/* Around each call that waits for a finger. */
void worker_enter(struct worker *worker, fido_dev_t *device);
void worker_leave(struct worker *worker);
/* Waits so long, or until it has to stop. */
void worker_nap(struct worker *worker, int milliseconds);
/* Whether no other key is plugged in. */
bool worker_is_only(struct worker *worker);
/* Becomes the one key that goes on; the others are stopped. False: another one is. */
bool worker_claim(struct worker *worker);
/* Waits for the PIN, which is then in worker->pin. False: it has to stop. */
bool worker_ask_pin(struct worker *worker, enum pin_why why, int retries);
/* The first outcome counts, the others are dropped. */
enum ending worker_decide(struct worker *worker, struct frame_out *frame);
enum ending worker_fail(struct worker *worker, enum failure_reason reason, const char *detail);

void failure_frame(struct frame_out *frame, enum failure_reason reason, const char *detail);

#endif
