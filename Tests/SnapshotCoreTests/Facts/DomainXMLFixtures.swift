/// Domain XMLs as libvirt writes them, shortened where a snapshot does not look.
enum DomainXMLFixtures {
  /// A running guest on a qcow2 overlay, as libvirt 9 prints it.
  static let overlay = """
    <domain type='kvm' id='3'>
      <name>fed18</name>
      <uuid>542d3ac2-f77a-40f3-ba72-14ce4cab353c</uuid>
      <metadata>
        <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
          <libosinfo:os id="http://fedoraproject.org/fedora/18"/>
        </libosinfo:libosinfo>
      </metadata>
      <memory unit='KiB'>196608</memory>
      <os>
        <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
        <boot dev='hd'/>
      </os>
      <devices>
        <emulator>/usr/bin/qemu-system-x86_64</emulator>
        <disk type='file' device='disk'>
          <driver name='qemu' type='qcow2' discard='unmap'/>
          <source file='/images/fed18.qcow2' index='1'/>
          <backingStore type='file' index='2'>
            <format type='qcow2'/>
            <source file='/images/middle.qcow2'/>
            <backingStore type='file' index='3'>
              <format type='raw'/>
              <source file='/images/base.raw'/>
              <backingStore/>
            </backingStore>
          </backingStore>
          <target dev='vda' bus='virtio'/>
          <boot order='1'/>
          <alias name='virtio-disk0'/>
        </disk>
        <disk type='file' device='cdrom'>
          <driver name='qemu' type='raw'/>
          <target dev='sda' bus='sata'/>
          <readonly/>
          <boot order='2'/>
        </disk>
        <interface type='network'>
          <mac address='52:54:00:11:22:33'/>
          <source network='default'/>
          <model type='virtio'/>
        </interface>
        <channel type='unix'>
          <source mode='bind' path='/run/agent.sock'/>
          <target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>
        </channel>
        <video>
          <model type='qxl' ram='65536' primary='yes'/>
        </video>
      </devices>
      <seclabel type='dynamic' model='apparmor' relabel='yes'>
        <label>libvirt-542d3ac2</label>
      </seclabel>
      <seclabel type='dynamic' model='dac' relabel='yes'>
        <label>+64055:+107</label>
        <imagelabel>+64055:+107</imagelabel>
      </seclabel>
    </domain>
    """

  /// Every kind of source in one guest.
  static let sources = """
    <domain type='kvm'>
      <name>sources</name>
      <uuid>11111111-2222-3333-4444-555555555555</uuid>
      <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
      <devices>
        <disk type='file' device='disk'>
          <driver name='qemu' type='raw' cache='none'/>
          <source file='/images/plain &amp; simple.raw'/>
          <target dev='vda' bus='virtio'/>
        </disk>
        <disk type='block' device='disk'>
          <driver name='qemu' type='raw' io='native'/>
          <source dev='/dev/vg0/root'/>
          <target dev='vdb' bus='virtio'/>
        </disk>
        <disk type='network' device='disk'>
          <driver name='qemu' type='raw'/>
          <auth username='libvirt'>
            <secret type='ceph' uuid='ec9be0c4-a60f-490e-af83-f0f27aaf48c9'/>
          </auth>
          <source protocol='rbd' name='vms/disk'>
            <host name='10.0.0.1' port='6789'/>
          </source>
          <target dev='vdc' bus='virtio'/>
        </disk>
        <disk type='volume' device='disk'>
          <source pool='default' volume='v'/>
          <target dev='vdd' bus='virtio'/>
        </disk>
        <disk type='file' device='disk'>
          <driver name='qemu' type='qcow2'/>
          <source file='/images/secret.qcow2'>
            <encryption format='luks'>
              <secret type='passphrase' uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/>
            </encryption>
          </source>
          <target dev='vde' bus='virtio'/>
        </disk>
        <disk type='file' device='disk'>
          <source file='/images/old-style.qcow2'/>
          <encryption format='qcow'/>
          <transient/>
          <target dev='vdf'/>
        </disk>
        <disk type='file' device='floppy'>
          <target dev='fda' bus='fdc'/>
        </disk>
        <disk type='block' device='lun'>
          <driver name='qemu' type='raw'/>
          <source dev='/dev/sdc'/>
          <readonly/>
          <target dev='sdb' bus='scsi'/>
        </disk>
        <controller type='usb' model='qemu-xhci'/>
        <controller type='scsi' index='0' model='virtio-scsi'/>
        <controller type='scsi' index='1' model='lsilogic'/>
      </devices>
    </domain>
    """

  /// A disk with a copy job into a file, ready or not.
  static func mirror(ready: String?) -> String {
    """
    <domain type='kvm' id='1'>
      <name>m</name>
      <uuid>11111111-2222-3333-4444-555555555555</uuid>
      <devices>
        <disk type='file' device='disk'>
          <driver name='qemu' type='qcow2'/>
          <source file='/images/m.qcow2'/>
          <backingStore/>
          <mirror type='file' file='/spool/delta.qcow2' format='qcow2' job='copy'\
    \(ready.map { " ready='\($0)'" } ?? "")>
            <format type='qcow2'/>
            <source file='/spool/delta.qcow2' index='4'/>
          </mirror>
          <target dev='vda' bus='virtio'/>
        </disk>
      </devices>
    </domain>
    """
  }

  /// A guest around an `<os>` element and devices.
  static func guest(os: String = "<os/>", devices: String = "", rest: String = "") -> String {
    """
    <domain type='kvm'>
      <name>g</name>
      <uuid>11111111-2222-3333-4444-555555555555</uuid>
      \(os)
      <devices>\(devices)</devices>
      \(rest)
    </domain>
    """
  }

  static let pci = """
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x03' slot='0x00' function='0x1'/>
      </source>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x06' function='0x0'/>
    </hostdev>
    """
  static let mdev = """
    <hostdev mode='subsystem' type='mdev' model='vfio-pci'>
      <source>
        <address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/>
      </source>
    </hostdev>
    """
  static let usb = """
    <hostdev mode='subsystem' type='usb'>
      <source><vendor id='0x1234'/><product id='0xbeef'/></source>
    </hostdev>
    """
  static let sriov = """
    <interface type='hostdev' managed='yes'>
      <mac address='52:54:00:6d:90:02'/>
      <source>
        <address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>
      </source>
    </interface>
    """

  static let container = """
    <domain type='lxc' id='77'>
      <name>box</name>
      <uuid>99999999-2222-3333-4444-555555555555</uuid>
      <os><type arch='x86_64'>exe</type><init>/sbin/init</init></os>
      <devices>
        <emulator>/usr/libexec/libvirt_lxc</emulator>
        <filesystem type='mount' accessmode='passthrough'>
          <source dir='/srv/box'/>
          <target dir='/'/>
        </filesystem>
      </devices>
    </domain>
    """
}
