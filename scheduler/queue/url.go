package queue

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// What follows redis or rediss in the scheme of an address.
const (
	sentinelScheme = "+sentinel"
	clusterScheme  = "+cluster"
)

// schemes is for messages.
const schemes = "write redis://host:port/db, redis+sentinel://host1,host2/master/db or redis+cluster://host1,host2; with TLS rediss://, rediss+sentinel://, rediss+cluster://"

// ParseURL reads the address of a Redis:
//
//	redis://user:password@host:port/db
//	redis+sentinel://user:password@host1:port,host2:port/master/db
//	redis+cluster://user:password@host1:port,host2:port
//
// With rediss in place of redis all connections are TLS. The port is 6379 where
// none is given, a sentinel's 26379. User and password are those of the Redis
// servers; sentinels have their own.
func ParseURL(s string) (Options, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	kind, known := strings.CutPrefix(scheme, "rediss")
	o := Options{TLS: known}
	if !known {
		kind, known = strings.CutPrefix(scheme, "redis")
	}
	if !ok || !known || kind != "" && kind != sentinelScheme && kind != clusterScheme {
		return Options{}, inputError{fmt.Sprintf("the address of Redis begins with %q", scheme+"://"), schemes}
	}
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path, "@") { // what follows may be half a password: it is not quoted
		return Options{}, inputError{"the address of Redis is not a valid URL", "write a / in a password as %2F, or give the password by its own setting"}
	}
	login, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		login, hosts = authority[:at+1], authority[at+1:]
	}
	var addrs []string
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("redis://" + login + host)
		if err != nil || u.RawQuery != "" || u.Fragment != "" {
			// The error of net/url quotes the address, which may hold a password.
			return Options{}, inputError{"the address of Redis is not a valid URL", schemes}
		}
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
		addrs = append(addrs, withPort(u, kind))
	}
	return o.at(kind, addrs, strings.TrimSuffix(path, "/"))
}

func withPort(u *url.URL, kind string) string {
	switch {
	case u.Port() != "":
		return u.Host
	case kind == sentinelScheme:
		return net.JoinHostPort(u.Hostname(), "26379")
	}
	return net.JoinHostPort(u.Hostname(), "6379")
}

// at completes the options with the servers and the path of an address.
func (o Options) at(kind string, addrs []string, path string) (Options, error) {
	db := path
	switch kind {
	case clusterScheme:
		if path != "" {
			return Options{}, inputError{fmt.Sprintf("%q in the address of Redis: a cluster has no databases", path), schemes}
		}
		o.ClusterAddrs = addrs
		return o, nil
	case sentinelScheme:
		if o.SentinelMaster, db, _ = strings.Cut(path, "/"); o.SentinelMaster == "" {
			return Options{}, inputError{"the address of Redis names no master", "add the name by which the sentinels know it: redis+sentinel://host1,host2/mymaster"}
		}
		o.SentinelAddrs = addrs
	default:
		if len(addrs) > 1 {
			return Options{}, inputError{"the address of Redis names several servers", schemes}
		}
		o.Addr = addrs[0]
	}
	if db != "" {
		var err error
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return Options{}, inputError{fmt.Sprintf("%q in the address of Redis is no database", db), "databases are numbered: redis://host:6379/0"}
		}
	}
	return o, nil
}
