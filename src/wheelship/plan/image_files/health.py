# SPDX-License-Identifier: Apache-2.0
# Health probe inside images: PORT PATH TIMEOUT_SECONDS. Exits 0 when the service answers 2xx or
# 3xx. Only `socket` and `sys` are imported, because the probe runs every few seconds.
import socket
import sys


def main(port, path, timeout):
    request = "GET %s HTTP/1.0\r\nHost: localhost:%s\r\nUser-Agent: wheelship-health\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(port)), float(timeout)) as connection:
        connection.settimeout(float(timeout))
        connection.sendall((request % (path, port)).encode())
        line = b""
        while b"\n" not in line and len(line) < 4096:
            data = connection.recv(256)
            if not data:
                break
            line += data
    status = line.split(b"\r\n", 1)[0].split(b" ")
    print(line.split(b"\r\n", 1)[0].decode("latin-1"))
    return 0 if len(status) > 1 and status[1][:1] in (b"2", b"3") else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:4]))
    except OSError as error:
        print("no answer: %s" % error)
        sys.exit(1)
