"""`python -m nstcli` is `nst`."""

from nstcli.cli.app import main

if __name__ == "__main__":
    main()
