step_page() { :; }
