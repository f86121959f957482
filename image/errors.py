# SPDX-License-Identifier: Apache-2.0
"""The base of every error of the image's recipe: what was wanted, and what came."""


class ImageError(Exception):
    """The image, or something it is made of, is not what was asked for; the text says what."""
