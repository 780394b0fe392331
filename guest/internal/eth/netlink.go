package eth

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// netlink configures interfaces: each request is one message with its acknowledgement.
type netlink struct {
	fd  int
	seq uint32
}

func openNetlink() (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &netlink{fd: fd}, nil
}

func (n *netlink) close() { _ = unix.Close(n.fd) }

type attribute struct {
	kind  uint16
	value []byte
}

func number(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// request sends body, one of the kernel's structs, with its attributes.
func (n *netlink) request(kind uint16, flags uint16, body []byte, attributes ...attribute) error {
	n.seq++
	m := make([]byte, unix.SizeofNlMsghdr, 128)
	m = append(m, body...)
	for _, a := range attributes {
		m = binary.NativeEndian.AppendUint16(m, uint16(unix.SizeofRtAttr+len(a.value)))
		m = binary.NativeEndian.AppendUint16(m, a.kind)
		m = append(m, a.value...)
		for len(m)%unix.RTA_ALIGNTO != 0 {
			m = append(m, 0)
		}
	}
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(m[8:], n.seq)
	if err := unix.Sendto(n.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	return n.acknowledged()
}

func (n *netlink) acknowledged() error {
	var buf [4096]byte
	for {
		got, _, err := unix.Recvfrom(n.fd, buf[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if got < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(buf[4:]) != unix.NLMSG_ERROR ||
			binary.NativeEndian.Uint32(buf[8:]) != n.seq {
			continue
		}
		if errno := int32(binary.NativeEndian.Uint32(buf[unix.SizeofNlMsghdr:])); errno != 0 {
			return unix.Errno(-errno)
		}
		return nil
	}
}

func (n *netlink) raise(index int, mtu int) error {
	body := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	binary.NativeEndian.PutUint32(body[8:], unix.IFF_UP)
	binary.NativeEndian.PutUint32(body[12:], unix.IFF_UP)
	return n.request(unix.RTM_NEWLINK, 0, body, attribute{unix.IFLA_MTU, number(uint32(mtu))})
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func (n *netlink) address(index int, p netip.Prefix) error {
	body := make([]byte, unix.SizeofIfAddrmsg)
	body[0], body[1] = family(p.Addr()), byte(p.Bits())
	body[2] = unix.IFA_F_NODAD | unix.IFA_F_PERMANENT
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	ip := p.Addr().AsSlice()
	return n.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, body,
		attribute{unix.IFA_LOCAL, ip}, attribute{unix.IFA_ADDRESS, ip})
}

func (n *netlink) defaultRoute(index int, gateway netip.Addr) error {
	body := make([]byte, unix.SizeofRtMsg)
	body[0] = family(gateway)
	body[4], body[5], body[6], body[7] = unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	return n.request(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, body,
		attribute{unix.RTA_GATEWAY, gateway.AsSlice()}, attribute{unix.RTA_OIF, number(uint32(index))})
}

func interfaceIndex(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	return int(request.Uint32()), err
}

// plumb gives the interface its addresses and routes.
func plumb(c *wire.Network) *wire.Failure {
	index, err := interfaceIndex(c.Interface)
	if err != nil {
		return wire.AsFailure(err, "find the interface", c.Interface)
	}
	n, err := openNetlink()
	if err != nil {
		return wire.AsFailure(err, "configure the interface", c.Interface)
	}
	defer n.close()
	// Without link-local addresses nothing is announced to neighbours, of which there are none.
	quiet(c.Interface)
	if err := n.raise(index, c.MTU); err != nil {
		return wire.AsFailure(err, "raise the interface", c.Interface)
	}
	for _, a := range []wire.Addressing{c.IPv4, c.IPv6} {
		if !a.Gateway.IsValid() {
			continue
		}
		err := n.address(index, a.Address)
		if err == nil {
			err = n.defaultRoute(index, a.Gateway)
		}
		// A kernel without IPv6 has a network all the same.
		if err != nil && !(a.Gateway.Is6() && (err == unix.EOPNOTSUPP || err == unix.EAFNOSUPPORT || err == unix.EACCES)) {
			return wire.AsFailure(err, "configure the interface", c.Interface)
		}
	}
	return nil
}

func quiet(name string) {
	path := "/proc/sys/net/ipv6/conf/" + name
	for _, setting := range [][2]string{{"/addr_gen_mode", "1"}, {"/router_solicitations", "0"}} {
		fd, err := unix.Open(path+setting[0], unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		_, _ = unix.Write(fd, []byte(setting[1]))
		_ = unix.Close(fd)
	}
}
