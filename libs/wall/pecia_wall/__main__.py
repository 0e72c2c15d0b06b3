"""`python -m pecia_wall`: put up the narrowest wall, and say what of it this machine holds."""

import sys

from pecia_wall.calls import DRAWING_BLIND
from pecia_wall.wall import Wall

if __name__ == "__main__":
    sys.stdout.write(str(Wall(DRAWING_BLIND).enter()))
