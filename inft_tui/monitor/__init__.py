"""What the Monitor screen shows, apart from any screen: which charts, where each stands, and the words around them."""
