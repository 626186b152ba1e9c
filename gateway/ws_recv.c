#include "gateway/ws_recv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <wslay/wslay.h>

#include "proto/limits.h"
#include "proto/ws_proto.h"

// No frame of a client is shorter: two bytes and the mask.
#define FRAME_HEAD_MIN 6u
#define MASK_LEN 4u
#define LENGTH_MASK 0x7fu
#define LENGTH_EXTENDED 126u // this and above: the length follows

struct ws_recv {
    wslay_event_context_ptr wslay;
    struct ws_recv *next; // in the pool
    struct ws_recv_late late;

    // While feeding.
    const struct ws_recv_handlers *handlers;
    void *arg;
    struct ws_recv_input *input;
    bool stopped;

    // Where we are. In a head, the length of the frame is not known yet.
    bool in_head;
    bool in_message;     // between the frames of a message
    bool in_control;     // the frame is one
    uint16_t head_fed;   // bytes of the frame given to wslay, while in its head
    uint8_t length_byte; // its second byte
    uint64_t frame_left; // bytes of the frame still to come, after its head
    uint16_t frames;     // of the message
    uint16_t fault;      // close code that we decided on

    // wslay allocates four times for a message that it keeps, so it keeps none: here is what has come of it.
    size_t message_len;
    uint8_t message[LIMIT_WS_MESSAGE];
};

// Nothing is in pieces.
static void on_time(struct ws_recv *recv)
{
    deadline_cancel(&recv->late.deadline);
    recv->late = (struct ws_recv_late){0};
}

struct ws_recv_late *ws_recv_late(struct ws_recv *recv)
{
    return &recv->late;
}

// How many bytes wslay may have now without passing the end of a frame: 0 = none.
static size_t allowance(struct ws_recv *recv)
{
    if (recv->fault != 0)
        return 0;
    if (!recv->in_head && recv->frame_left == 0) {
        if (!recv->in_message)
            on_time(recv);
        if (!recv->handlers->may_read(recv->arg)) {
            recv->stopped = true;
            return 0;
        }
        recv->in_head = true;
        recv->head_fed = 0;
    }
    if (!recv->in_head)
        return recv->frame_left < SIZE_MAX ? (size_t)recv->frame_left : SIZE_MAX;
    if (recv->head_fed < FRAME_HEAD_MIN)
        return FRAME_HEAD_MIN - recv->head_fed;
    // A short payload in one piece; byte by byte through the rest of a longer head.
    const uint8_t length = recv->length_byte & LENGTH_MASK;
    return length > 0 && length < LENGTH_EXTENDED ? length : 1;
}

static ssize_t on_recv(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, int flags, void *arg)
{
    (void)flags;
    struct ws_recv *recv = arg;
    size_t n = recv->input->len > 0 ? allowance(recv) : 0;
    if (n > len)
        n = len;
    if (n > recv->input->len)
        n = recv->input->len;
    if (n == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(buf, recv->input->bytes, n);
    if (recv->in_head && recv->head_fed < 2 && recv->head_fed + n >= 2)
        recv->length_byte = buf[1 - recv->head_fed];
    recv->input->bytes += n;
    recv->input->len -= n;
    if (recv->in_head)
        recv->head_fed = (uint16_t)(recv->head_fed + n);
    else
        recv->frame_left -= n;
    return (ssize_t)n;
}

static void fail(struct ws_recv *recv, uint16_t code)
{
    if (recv->fault == 0)
        recv->fault = code;
    wslay_event_shutdown_read(recv->wslay);
}

// wslay accepts only the shortest form of a length, so that the payload's length says how long the head was.
static void on_frame_start(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_start_arg *frame,
                           void *arg)
{
    (void)wslay;
    struct ws_recv *recv = arg;
    uint64_t head = 2u + (frame->payload_length < 126 ? 0u : frame->payload_length < 65536 ? 2u : 8u) + MASK_LEN;
    recv->in_head = false;
    recv->frame_left = head + frame->payload_length - recv->head_fed;
    recv->in_control = wslay_is_ctrl_frame(frame->opcode);
    if (recv->in_control)
        return;
    if (frame->opcode != WSLAY_CONTINUATION_FRAME) {
        recv->frames = 0;
        recv->message_len = 0;
    }
    recv->in_message = !frame->fin;
    if (frame->opcode == WSLAY_TEXT_FRAME)
        fail(recv, WS_CLOSE_TEXT);
    else if (++recv->frames > LIMIT_WS_FRAMES)
        fail(recv, WS_CLOSE_MALFORMED);
    else if (frame->payload_length > LIMIT_WS_MESSAGE - recv->message_len)
        fail(recv, WS_CLOSE_TOO_LONG);
}

static void on_chunk(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *arg)
{
    (void)wslay;
    struct ws_recv *recv = arg;
    if (recv->in_control || recv->fault != 0 || chunk->data_length > LIMIT_WS_MESSAGE - recv->message_len)
        return;
    memcpy(recv->message + recv->message_len, chunk->data, chunk->data_length);
    recv->message_len += chunk->data_length;
}

static void on_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *message, void *arg)
{
    (void)wslay;
    struct ws_recv *recv = arg;
    static const uint8_t nothing[1];
    const uint8_t *bytes = message->msg != NULL ? message->msg : nothing;
    if (recv->fault != 0)
        return;
    if (message->opcode == WSLAY_CONNECTION_CLOSE && message->msg_length == 1)
        fail(recv, WS_CLOSE_PROTOCOL); // half a code, which wslay lets pass
    else if (message->opcode == WSLAY_BINARY_FRAME)
        recv->handlers->on_message(recv->arg, recv->message, recv->message_len);
    else if (message->opcode == WSLAY_PING)
        recv->handlers->on_ping(recv->arg, bytes, message->msg_length);
    else if (message->opcode == WSLAY_PONG)
        recv->handlers->on_pong(recv->arg);
}

// wslay answers pings and closes by itself; we answer, so its answers go nowhere.
static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t len, int flags, void *arg)
{
    (void)wslay;
    (void)data;
    (void)flags;
    (void)arg;
    return (ssize_t)len;
}

static struct ws_recv *recv_new(void)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                                           .send_callback = on_send,
                                                           .on_frame_recv_start_callback = on_frame_start,
                                                           .on_frame_recv_chunk_callback = on_chunk,
                                                           .on_msg_recv_callback = on_message};
    struct ws_recv *recv = calloc(1, sizeof *recv);
    if (recv == NULL)
        return NULL;
    if (wslay_event_context_server_init(&recv->wslay, &callbacks, recv) != 0) {
        free(recv);
        return NULL;
    }
    wslay_event_config_set_max_recv_msg_length(recv->wslay, LIMIT_WS_MESSAGE); // of a frame, as it keeps no messages
    wslay_event_config_set_no_buffering(recv->wslay, 1);
    return recv;
}

void ws_recv_free(struct ws_recv *recv)
{
    if (recv == NULL)
        return;
    on_time(recv);
    wslay_event_context_free(recv->wslay);
    free(recv);
}

static struct ws_recv *pool_take(struct ws_recv_pool *pool)
{
    struct ws_recv *recv = pool->idle;
    if (recv == NULL)
        return recv_new();
    pool->idle = recv->next;
    pool->count--;
    return recv;
}

static void pool_give(struct ws_recv_pool *pool, struct ws_recv *recv)
{
    on_time(recv);
    if (pool->count >= WS_RECV_POOL_MAX) {
        ws_recv_free(recv);
        return;
    }
    recv->next = pool->idle;
    pool->idle = recv;
    pool->count++;
}

void ws_recv_pool_fini(struct ws_recv_pool *pool)
{
    for (struct ws_recv *recv = pool->idle, *next; recv != NULL; recv = next) {
        next = recv->next;
        ws_recv_free(recv);
    }
    *pool = (struct ws_recv_pool){0};
}

// Why wslay stopped for good. It has answered a close frame with the same code if it was in order. What it calls 1007
// can only be the reason of a close frame here.
static struct ws_recv_result verdict(struct ws_recv *recv)
{
    const uint16_t got = wslay_event_get_status_code_received(recv->wslay);
    const uint16_t sent = wslay_event_get_status_code_sent(recv->wslay);
    if (recv->fault != 0)
        return (struct ws_recv_result){WS_RECV_BROKEN, recv->fault};
    if (wslay_event_get_close_received(recv->wslay) && got == sent)
        return (struct ws_recv_result){WS_RECV_PEER_CLOSED, got == WSLAY_CODE_NO_STATUS_RCVD ? WS_CLOSE_NORMAL : got};
    return (struct ws_recv_result){WS_RECV_BROKEN,
                                   sent == WSLAY_CODE_MESSAGE_TOO_BIG ? WS_CLOSE_TOO_LONG : WS_CLOSE_PROTOCOL};
}

int ws_recv_feed(struct ws_recv **at, struct ws_recv_pool *pool, const struct ws_recv_handlers *handlers, void *arg,
                 struct ws_recv_input *input, struct ws_recv_result *result)
{
    int err = 0;
    struct ws_recv *recv = *at != NULL ? *at : pool_take(pool);
    *result = (struct ws_recv_result){WS_RECV_GOES_ON, 0};
    *at = NULL;
    if (recv == NULL)
        return ERR_NOMEM;
    recv->handlers = handlers;
    recv->arg = arg;
    recv->input = input;
    recv->stopped = false;
    while (input->len > 0 && !recv->stopped && err == 0 && wslay_event_get_read_enabled(recv->wslay))
        err = wslay_event_recv(recv->wslay);
    if (err == WSLAY_ERR_NOMEM) {
        ws_recv_free(recv);
        return ERR_NOMEM;
    }
    if (wslay_event_want_write(recv->wslay) && wslay_event_send(recv->wslay) != 0)
        err = WSLAY_ERR_CALLBACK_FAILURE;
    if (err != 0 || !wslay_event_get_read_enabled(recv->wslay)) {
        *result = verdict(recv);
        ws_recv_free(recv);
    } else if (recv->in_head || recv->in_message || recv->frame_left > 0) {
        *at = recv;
    } else {
        pool_give(pool, recv);
    }
    return 0;
}
