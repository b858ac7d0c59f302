/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Socket addresses of -netdev; see the header.
 */
#include "frontend/net_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/options_dev.h"

static int take(char *out, size_t size, const char *val)
{
	if (strlen(val) >= size)
		return -1;
	strcpy(out, val);
	return 1;
}

static int take_type(struct net_addr *a, const char *val)
{
	static const char *const names[] = {"", "inet", "unix", "fd"};

	for (int i = NET_ADDR_INET; i <= NET_ADDR_FD; i++) {
		if (strcmp(names[i], val) != 0)
			continue;
		a->type = (enum net_addr_type)i;
		return 1;
	}
	return -1;
}

static int take_fd(struct net_addr *a, const char *val)
{
	char *end;
	long fd = strtol(val, &end, 10);

	if (*end || end == val || fd < 0 || fd > 65535)
		return -1;
	a->fd = (int)fd;
	return 1;
}

int net_addr_property(struct net_addr *a, const char *prefix, const struct keyval *kv, char *err,
		      size_t errlen)
{
	size_t n = strlen(prefix);
	const char *k = kv->key + n;
	int r = 0;

	if (strncmp(kv->key, prefix, n) != 0)
		return 0;
	if (strcmp(k, "type") == 0)
		r = take_type(a, kv->val);
	else if (strcmp(k, "host") == 0)
		r = take(a->host, sizeof(a->host), kv->val);
	else if (strcmp(k, "port") == 0)
		r = take(a->port, sizeof(a->port), kv->val);
	else if (strcmp(k, "path") == 0)
		r = take(a->path, sizeof(a->path), kv->val);
	else if (strcmp(k, "str") == 0)
		r = take_fd(a, kv->val);
	else if (strcmp(k, "abstract") == 0) {
		a->abstract = strcmp(kv->val, "off") != 0;
		r = 1;
	}
	if (r < 0)
		snprintf(err, errlen, "%s=%s is not a value for it", kv->key, kv->val);
	return r;
}

int net_addr_parse(struct net_addr *a, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	memset(a, 0, sizeof(*a));
	a->type = NET_ADDR_INET;
	/* Brackets keep the colons of IPv6 apart. */
	if (n >= 2 && *text == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (!colon || n >= sizeof(a->host) || strlen(colon + 1) >= sizeof(a->port))
		return -1;
	memcpy(a->host, text, n);
	strcpy(a->port, colon + 1);
	return 0;
}

static int resolve_unix(const struct net_addr *a, union net_sockaddr *out, char *err, size_t errlen)
{
	size_t len = strlen(a->path);

	if (!len || len + a->abstract >= sizeof(out->un.sun_path)) {
		snprintf(err, errlen, "the path of its socket is %s", len ? "too long" : "missing");
		return -1;
	}
	out->un.sun_family = AF_UNIX;
	memcpy(out->un.sun_path + a->abstract, a->path, len);
	return (int)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

int net_addr_resolve(const struct net_addr *a, union net_sockaddr *out, char *err, size_t errlen)
{
	const char *host = strcmp(a->host, "localhost") == 0 ? "127.0.0.1" : a->host;
	unsigned long port;
	char *end;

	memset(out, 0, sizeof(*out));
	if (a->type == NET_ADDR_UNIX)
		return resolve_unix(a, out, err, errlen);
	port = strtoul(a->port, &end, 10);
	if (*end || end == a->port || port > 65535) {
		snprintf(err, errlen, "%s is no port", *a->port ? a->port : "nothing");
		return -1;
	}
	if (!*host || inet_pton(AF_INET, host, &out->in.sin_addr) == 1) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons((uint16_t)port);
		return sizeof(out->in);
	}
	if (inet_pton(AF_INET6, host, &out->in6.sin6_addr) == 1) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons((uint16_t)port);
		return sizeof(out->in6);
	}
	snprintf(err, errlen, "%s is no address; names but localhost are not looked up", host);
	return -1;
}

void net_addr_print(const struct net_addr *a, char *text, size_t len)
{
	switch (a->type) {
	case NET_ADDR_NONE:
		snprintf(text, len, "none");
		break;
	case NET_ADDR_INET:
		snprintf(text, len, "%s:%s", a->host, a->port);
		break;
	case NET_ADDR_UNIX:
		snprintf(text, len, "unix:%s%s", a->abstract ? "@" : "", a->path);
		break;
	case NET_ADDR_FD:
		snprintf(text, len, "fd:%d", a->fd);
		break;
	}
}

/* A socket file that nobody listens on is left over from an earlier run. */
static void remove_stale(const union net_sockaddr *sa, socklen_t len)
{
	struct stat st;
	int fd;

	if (sa->sa.sa_family != AF_UNIX || !sa->un.sun_path[0] || stat(sa->un.sun_path, &st) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, &sa->sa, len) < 0 && errno == ECONNREFUSED)
		unlink(sa->un.sun_path);
	close(fd);
}

int net_listen(const union net_sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, err;

	if (fd < 0)
		return -errno;
	if (sa->sa.sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	remove_stale(sa, len);
	if (bind(fd, &sa->sa, len) == 0 && listen(fd, 1) == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}
