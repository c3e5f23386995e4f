"""Those attacks of hostile.py that wait for no deadline; `./test --all` runs every one."""
import hostile
from keelway_server import main

QUICK = [hostile.smuggling, hostile.sizes, hostile.bombs, hostile.silent_handshakes,
         hostile.no_descriptor_left, hostile.http2_floods,
         hostile.http2_resets_made_by_the_server, hostile.header_compression,
         hostile.too_many_streams, hostile.body_memory]


def attacks_are_refused_and_others_are_served():
    hostile.attack_a_server(QUICK)


if __name__ == "__main__":
    main([attacks_are_refused_and_others_are_served])
