"""The former name of the command `wrap`."""

if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
