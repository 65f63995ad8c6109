//! The pages: the developer portal and the admin console, rendered on the
//! server, complete without JavaScript.
