"""Who asks, what they may do, and the reviews that say so. It may import `answers` of the API."""
