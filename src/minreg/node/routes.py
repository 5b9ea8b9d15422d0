"""Whether this node has a default route, without which K3s does not start."""

_ROUTES = "/proc/net/route"


def has_default_route(path: str = _ROUTES) -> bool:
    """Tell whether there is one for IPv4.

    Args:
        path: The kernel's table: a heading, then a line for each route, whose second field is
            the destination and whose eighth is the mask, both 0 for a default route
            (proc_net(5)). Where there is none, IPv4 is not there at all.
    """
    try:
        with open(path, encoding="ascii") as table:
            routes = [line.split() for line in table.readlines()[1:]]
    except FileNotFoundError:
        return False
    return any(int(route[1], 16) == int(route[7], 16) == 0 for route in routes)
