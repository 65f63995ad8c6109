//! Tells a service manager which process serves (`sd_notify(3)`): under systemd
//! a unit would end with the process that another one took over from.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that this process serves, and that it is the one that matters.
pub(crate) fn tell_ready() {
    let Some(socket) = gatewright_config::notify_socket() else {
        return;
    };
    let message = format!("MAINPID={}\nREADY=1\n", std::process::id());
    if let Err(error) = tell(&socket, &message) {
        tracing::warn!(%error, ?socket, "the service manager was not told that this process serves");
    }
}

/// A name that begins with `@` is one that no file has.
fn tell(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_names_are_understood() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notify");
        let name = format!("@{}", path.display());
        let hidden = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let ends = [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&hidden).unwrap(), name.into()),
        ];
        for (end, name) in ends {
            tell(&name, "READY=1\n").unwrap();
            let mut heard = [0; 16];
            let length = end.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1\n");
        }
    }
}
