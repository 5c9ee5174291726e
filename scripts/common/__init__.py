"""What every room builds on: errors, files, devices, settings, downloads, raw text."""
