// Followers of one held playlist, in one thread: each asks for the next part as soon as it has the last answer.
//
//   followers PORT ORIGIN_PORT PLAYLIST FOLLOWERS FULL SECONDS
//
// A sentinel asks the origin itself, reads which part comes next, and knows the origin's ETag of each state. An answer
// with an older ETag than that of the state it was asked for is a breach. FULL of the followers also fetch each hinted
// part. A question for a state that is a second old is late: a cache has given that answer up, and asks again. Delays
// count from the first arrival of a state, at the sentinel or a follower. One line of JSON at the end.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_STATES 4000
#define WARM 6

enum kind { SENTINEL, PLAYLIST, PART };
struct conn {
    enum kind kind;
    int fd, state, waiting;
    char *data;
    size_t size, room;
};
struct state {
    char query[64], hint[200], etag[100];
    double first;
    int answers;
};

static struct state states[MOST_STATES];
static int known = 0;  // states[0 .. known - 1] may be asked for
static char path[300], folder[300];
static double *delays;
static size_t n_delays, answers, breaches, errors, late, parts, parts_gone, bytes;
static int poller;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void ask(struct conn *c, int state) {
    char text[900];
    const char *gzip = c->kind == PLAYLIST ? "Accept-Encoding: gzip\r\n" : "";
    int n;
    if (c->kind == PART)
        n = snprintf(text, sizeof text, "GET %s%s HTTP/1.1\r\nHost: a\r\n\r\n", folder, states[state].hint);
    else
        n = snprintf(text, sizeof text, "GET %s%s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, states[state].query, gzip);
    late += c->kind == PLAYLIST && states[state].first && now() - states[state].first > 1;
    if (write(c->fd, text, n) != n) fail("write");
    c->state = state;
    c->waiting = 1;
    c->size = 0;
}

static void join(struct conn *c, enum kind kind, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->kind = kind;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->room = 16384;
    c->data = malloc(c->room);
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

// Whether the answer is whole; its body begins at *body.
static int whole(struct conn *c, char **body) {
    char *end, *length;
    c->data[c->size] = 0;
    end = memmem(c->data, c->size, "\r\n\r\n", 4);
    if (!end) return 0;
    *body = end + 4;
    *end = 0;
    length = strcasestr(c->data, "\r\nContent-Length:");
    int chunked = strcasestr(c->data, "\r\nTransfer-Encoding:") != NULL;
    *end = '\r';
    if (length) return c->size >= (size_t)(*body - c->data) + strtoul(length + 17, NULL, 10);
    return chunked ? c->size >= 5 && !memcmp(c->data + c->size - 5, "0\r\n\r\n", 5) : 1;
}

static void etag_of(struct conn *c, char *into) {
    char *found = strcasestr(c->data, "\r\nETag:");
    *into = 0;
    if (found) sscanf(found + 7, " %99[^\r]", into);
}

// The state after the one that this playlist shows, from its preload hint.
static void learn(const char *body) {
    const char *hint = NULL, *at = body, *end, *name;
    struct state *s = &states[known];
    while ((at = strstr(at, "#EXT-X-PRELOAD-HINT:"))) hint = at++;
    if (!hint || !(hint = strstr(hint, "URI=\"")) || known == MOST_STATES - 1) return;
    hint += 5;
    end = strchr(hint, '"');
    snprintf(s->hint, sizeof s->hint, "%.*s", (int)(end - hint), hint);
    name = strrchr(s->hint, '/') + 1;
    snprintf(s->query, sizeof s->query, "?_HLS_msn=%d&_HLS_part=%d", atoi(name), atoi(strchr(name, '.') + 1));
    if (!known || strcmp(s->query, states[known - 1].query)) known++;
}

static void answered(struct conn *c, char *body) {
    int status = atoi(c->data + 9);
    double at = now();
    char etag[100];
    c->waiting = 0;
    bytes += c->size;
    if (c->kind == PART) {
        parts++;
        parts_gone += status != 200;
        return;
    }
    if (status != 200) {
        errors++;
        fprintf(stderr, "%.60s\n", c->data);
    }
    struct state *s = &states[c->state];
    if (!s->first) s->first = at;
    etag_of(c, etag);
    if (c->kind == SENTINEL) {
        strcpy(s->etag, etag);
        learn(body);
        return;
    }
    answers++;
    s->answers++;
    if (c->state >= WARM) delays[n_delays++] = at - s->first;
    for (int older = c->state - 1; older >= 0 && older > c->state - 30; older--)
        if (*states[older].etag && !strcmp(states[older].etag, etag)) breaches++;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int port = atoi(argv[1]), origin = atoi(argv[2]), n = atoi(argv[4]), full = atoi(argv[5]), all = n + full + 1;
    double until;
    struct conn *conns = calloc(all, sizeof *conns);
    snprintf(path, sizeof path, "%s", argv[3]);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path + 1), path);
    delays = malloc(sizeof *delays * MOST_STATES * (size_t)n);
    poller = epoll_create1(0);
    join(&conns[0], SENTINEL, origin);
    for (int i = 1; i < all; i++) join(&conns[i], i <= n ? PLAYLIST : PART, port);
    for (int i = 0; i < all; i++) conns[i].state = -1;
    // The first answer is a plain reload's: it says which state comes first.
    struct conn *first = &conns[0];
    char *body;
    snprintf(states[0].query, sizeof states[0].query, "%s", "");
    ask(first, 0);
    until = now() + atof(argv[6]);
    int started = 0;
    while (now() < until) {
        struct epoll_event events[512];
        int got = epoll_wait(poller, events, 512, 100);
        for (int i = 0; i < got; i++) {
            struct conn *c = events[i].data.ptr;
            if (c->room - c->size < 65536) c->data = realloc(c->data, c->room = c->size + 131072);
            ssize_t size = read(c->fd, c->data + c->size, c->room - c->size - 1);
            if (size < 0 && errno == EAGAIN) continue;
            if (size <= 0) {
                fprintf(stderr, "a connection of kind %d ended\n", c->kind);
                errors++;
                epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
                continue;
            }
            c->size += size;
            if (!whole(c, &body)) continue;
            if (!started) {
                started = 1;
                c->state = -1;
                c->waiting = 0;
                learn(body);
            } else {
                answered(c, body);
            }
        }
        for (int i = 0; started && i < all; i++)
            if (!conns[i].waiting && conns[i].state < known - 1)
                ask(&conns[i], conns[i].kind == PART || conns[i].state < 0 ? known - 1 : conns[i].state + 1);
    }
    qsort(delays, n_delays, sizeof *delays, by_size);
#define AT(p) (n_delays ? delays[(size_t)((n_delays - 1) * p)] * 1000 : 0)
    printf("{\"states\": %d, \"answers\": %zu, \"p50_ms\": %.1f, \"p95_ms\": %.1f, \"max_ms\": %.1f, \"breaches\": %zu,"
           " \"errors\": %zu, \"late\": %zu, \"parts\": %zu, \"parts_gone\": %zu, \"bytes\": %zu}\n",
           known, answers, AT(0.5), AT(0.95), AT(1.0), breaches, errors, late, parts, parts_gone, bytes);
    return 0;
}
