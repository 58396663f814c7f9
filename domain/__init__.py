"""What every part of Borough agrees on: words, messages, codec, topics, quantities, ports, errors."""
