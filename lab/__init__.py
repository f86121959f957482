# SPDX-License-Identifier: Apache-2.0
"""A whole deployment on one ordinary host, for development and CI. Never in a wheel or image."""
