"""How Surefoot checks itself: its verdict where the truth is known, published figures, and parity of front-ends."""
