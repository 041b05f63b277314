"""Language models: how they are trained and what their files hold."""
