"""What a model's units do, and what it believes, after each step that it reads."""
