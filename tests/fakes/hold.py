"""A program that runs until it is let go: it holds a connection, and so tells that it is alive.

    hold.py PORT [GENERATIONS]

It connects to 127.0.0.1:PORT, starts a child of its own for each further generation, and prints
"let go" when a byte comes. Killing it ends its connection.
"""

import socket
import subprocess
import sys


def main(port: int, generations: int) -> None:
    line = socket.create_connection(("127.0.0.1", port))
    if generations > 1:
        subprocess.Popen([sys.executable, __file__, str(port), str(generations - 1)])
    if line.recv(1):
        print("let go")


if __name__ == "__main__":
    main(int(sys.argv[1]), int([*sys.argv, "1"][2]))
