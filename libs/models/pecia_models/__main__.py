"""`python -m pecia_models sign|verify FOLDER --key KEY.pem`: make and check the signature of a model."""

import argparse
import getpass
import sys
from pathlib import Path

from pecia_core.errors import Unavailable

from pecia_models.checking import check
from pecia_models.signature import sign


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pecia_models", description=__doc__)
    parser.add_argument("what", choices=("sign", "verify"))
    parser.add_argument("folder", type=Path, help="with the model's files")
    parser.add_argument(
        "--key", type=Path, required=True, help="PEM: the private key signs, the public verifies"
    )
    parser.add_argument("--password", action="store_true", help="ask for the private key's password")
    return parser.parse_args()


def main() -> None:
    """Do it, or say why not and end with status 1."""
    asked = _arguments()
    try:
        if asked.what == "sign":
            password = getpass.getpass("Password of the key: ").encode() if asked.password else None
            print(f"Signed: {sign(asked.folder, asked.key.read_bytes(), password)}")  # noqa: T201 - a command
        else:
            check(asked.folder, lambda _: None, asked.key.read_text(encoding="utf-8"))
            print("These are the files that were signed.")  # noqa: T201 - a command
    except (Unavailable, OSError, ValueError, TypeError) as error:
        sys.exit(f"{asked.folder}: {error}")


if __name__ == "__main__":
    main()
