// LIMIT-TCP: raw TCP echo, one thread, epoll edge-triggered, one shared buffer.
// It knows nothing of HTTP or WebSocket: whatever arrives goes straight back.
// This is the floor for any server that makes one recv and one send per readiness.
//
//   cc -O2 -o limit_tcp limit_tcp.c && ./limit_tcp      (drive it with wsecho load tcp://)
//
// What a short send leaves over is kept, and nothing more is read from that connection until it
// has gone out: the order of the stream cannot break. Prints a line with its port when it accepts.
//
// --port N     0 (the default) takes a free one
// --eagain     read until EAGAIN instead of stopping after a short read
// --lt         level-triggered
// --buf N      size of the shared buffer (default 262144)
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
  uint8_t *out;  // what a short send left over
  uint32_t off, len;
  uint8_t open;
};

static struct conn *conns;
static uint8_t *buf;
static size_t bufsz = 262144;
static int ep, until_eagain, level;

static void drop(int fd) {
  free(conns[fd].out);
  conns[fd] = (struct conn){0};
  close(fd);
}

static int put(int fd, const uint8_t *p, size_t n) {  // -1: gone, 1: left over
  struct conn *c = &conns[fd];
  ssize_t s = send(fd, p, n, MSG_NOSIGNAL);
  if (s < 0) {
    if (errno != EAGAIN) return -1;
    s = 0;
  }
  if ((size_t)s == n) return 0;
  c->len = n - s, c->off = 0;
  c->out = malloc(c->len);
  memcpy(c->out, p + s, c->len);
  return 1;
}

static void ready(int fd, uint32_t ev) {
  struct conn *c = &conns[fd];
  if (!c->open) return;
  if (ev & EPOLLERR) return drop(fd);
  if (c->out) {
    if (!(ev & EPOLLOUT)) return;
    ssize_t s = send(fd, c->out + c->off, c->len - c->off, MSG_NOSIGNAL);
    if (s < 0) {
      if (errno != EAGAIN) drop(fd);
      return;
    }
    c->off += s;
    if (c->off < c->len) return;
    free(c->out);
    c->out = NULL;
  } else if (!(ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))) {
    return;
  }
  for (;;) {
    ssize_t n = recv(fd, buf, bufsz, 0);
    if (n == 0) return drop(fd);
    if (n < 0) {
      if (errno != EAGAIN) drop(fd);
      return;
    }
    int r = put(fd, buf, n);
    if (r < 0) return drop(fd);
    if (r > 0) return;
    if (level || (!until_eagain && (size_t)n < bufsz && !(ev & (EPOLLRDHUP | EPOLLHUP)))) return;
  }
}

int main(int argc, char **argv) {
  int port = 0;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--port")) port = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--buf")) bufsz = strtoul(argv[++i], 0, 0);
    else if (!strcmp(argv[i], "--eagain")) until_eagain = 1;
    else if (!strcmp(argv[i], "--lt")) level = 1;
    else return fprintf(stderr, "unknown option %s\n", argv[i]), 2;
  }
  signal(SIGPIPE, SIG_IGN);
  conns = mmap(0, sizeof(struct conn) << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  buf = malloc(bufsz);
  int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(l, (void *)&a, sizeof a) || listen(l, 4096)) return perror("listen"), 1;
  socklen_t alen = sizeof a;
  if (getsockname(l, (void *)&a, &alen)) return perror("getsockname"), 1;
  printf("limit_tcp listening on ws://127.0.0.1:%d/\n", ntohs(a.sin_port));
  fflush(stdout);
  ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.fd = l}, evs[1024];
  epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
  for (;;) {
    int n = epoll_wait(ep, evs, 1024, -1);
    for (int i = 0; i < n; i++) {
      int fd = evs[i].data.fd;
      if (fd != l) {
        ready(fd, evs[i].events);
        continue;
      }
      while ((fd = accept4(l, 0, 0, SOCK_NONBLOCK)) >= 0) {
        conns[fd].open = 1;
        e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | (level ? 0 : EPOLLET);
        if (level) e.events &= ~EPOLLOUT;  // yardstick only: a short send stalls in --lt
        e.data.fd = fd;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
      }
    }
  }
}
