#include "redis_server.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define RESERVED 0x7f545352u // 127.84.83.82: an address of loopback that no program listens on

// Below the range that the kernel gives to clients, else one of them may sit there while the server is down; and below
// those of the integration tests (12000 and up) and of the page's.
static uint16_t random_port(void)
{
    uint16_t number;
    assert_int_equal(getrandom(&number, sizeof number, 0), sizeof number);
    return (uint16_t)(10000 + number % 2000);
}

// A socket that sits on the port of an address; -1 when it is taken.
static int sit_on(uint32_t address, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    sa.sin_addr.s_addr = htonl(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
        return fd;
    close(fd);
    return -1;
}

void redis_server_init(struct redis_server *server)
{
    for (int i = 0; i < 1000; i++) {
        uint16_t port = random_port();
        // Held until we end, where no server listens: so no other test takes the port while ours is down.
        int reserved = sit_on(RESERVED, port);
        int probe = reserved < 0 ? -1 : sit_on(INADDR_LOOPBACK, port);
        if (probe >= 0) {
            close(probe);
            *server = (struct redis_server){.port = port, .reserved = reserved};
            snprintf(server->address, sizeof server->address, "127.0.0.1:%u", port);
            return;
        }
        if (reserved >= 0)
            close(reserved);
    }
    fail_msg("no free port");
}

static int answers(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int ok = connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0;
    close(fd);
    return ok;
}

void redis_server_start(struct redis_server *server, const char *password)
{
    char port[8];
    snprintf(port, sizeof port, "%u", server->port);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that crashes leaves nothing behind
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
               "no", "--logfile", "/dev/null", "--dir", "/tmp", "--requirepass", password != NULL ? password : "",
               (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 2000; i++) {
        if (answers(server->port))
            return;
        usleep(10000);
    }
    fail_msg("redis-server did not start");
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_freeze(struct redis_server *server, int frozen)
{
    kill(server->pid, frozen ? SIGSTOP : SIGCONT);
}
