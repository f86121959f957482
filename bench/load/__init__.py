# SPDX-License-Identifier: Apache-2.0
"""A thousand requests through a whole deployment while its parts are disturbed (`make load`)."""
