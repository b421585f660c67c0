// Reads one address again and again over connections that stay open, in one thread.
//
//   reads PORT PATH CONNECTIONS SECONDS
//
// One line of JSON at the end. Answers must have a Content-Length; any status but 200 is an error.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD 4000

struct conn {
    int fd;
    size_t head, left;  // bytes of the header read; of the body to come
    char data[HEAD + 1];
};

static char request[600], body[1 << 18];
static int length;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void ask(struct conn *c) {
    c->head = c->left = 0;
    if (write(c->fd, request, length) != length) fail("write");
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int n = atoi(argv[3]), poller = epoll_create1(0), one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    struct conn *conns = calloc(n, sizeof *conns);
    size_t reads = 0, bytes = 0, errors = 0;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", argv[2]);
    for (int i = 0; i < n; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conns[i]};
        conns[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(conns[i].fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
        setsockopt(conns[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(poller, EPOLL_CTL_ADD, conns[i].fd, &event);
        ask(&conns[i]);
    }
    double began = now(), until = began + atof(argv[4]);
    while (now() < until) {
        struct epoll_event events[64];
        int got = epoll_wait(poller, events, 64, 100);
        for (int i = 0; i < got; i++) {
            struct conn *c = events[i].data.ptr;
            char *end, *told;
            ssize_t size;
            if (c->left) {
                size = read(c->fd, body, c->left < sizeof body ? c->left : sizeof body);
                if (size <= 0) fail("a connection ended");
                bytes += size;
                if (c->left -= size) continue;
            } else {
                size = read(c->fd, c->data + c->head, HEAD - c->head);
                if (size <= 0) fail("a connection ended");
                c->head += size;
                c->data[c->head] = 0;
                if (!(end = strstr(c->data, "\r\n\r\n"))) continue;
                told = strcasestr(c->data, "\r\nContent-Length:");
                if (!told || told > end) return 3;
                errors += atoi(c->data + 9) != 200;
                size_t had = c->head - (end + 4 - c->data);
                bytes += had;
                if ((c->left = strtoul(told + 17, NULL, 10) - had)) continue;
            }
            reads++;
            ask(c);
        }
    }
    printf("{\"reads\": %zu, \"bytes\": %zu, \"errors\": %zu, \"seconds\": %.3f}\n", reads, bytes, errors, now() - began);
    return 0;
}
