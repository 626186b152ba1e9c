#include "redis_server.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

// Below the range that the kernel gives to clients: else one of them may sit there while the server is down.
static uint16_t random_port(void)
{
    uint16_t number;
    assert_int_equal(getrandom(&number, sizeof number, 0), sizeof number);
    return (uint16_t)(12000 + number % 20000);
}

void redis_server_init(struct redis_server *server)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool is_free = false;
    for (int i = 0; i < 100 && !is_free; i++) {
        sa.sin_port = htons(random_port());
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        is_free = bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0;
        close(fd);
    }
    assert_true(is_free);
    *server = (struct redis_server){.port = ntohs(sa.sin_port)};
    snprintf(server->address, sizeof server->address, "127.0.0.1:%u", server->port);
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
