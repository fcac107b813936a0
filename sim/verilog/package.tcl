# Packages licgate.v as an IP of Vivado: vivado -mode batch -source package.tcl [-tclargs PART]
#
# The IP goes to ip/ beside this script. Buses are found by the names of their ports.

set here [file dirname [file normalize [info script]]]
set part [expr {[llength $argv] ? [lindex $argv 0] : "xczu9eg-ffvb1156-2-e"}]

create_project -in_memory -part $part
add_files -norecurse $here/licgate.v
set_property top licgate [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir $here/ip -vendor licgate -library codec -taxonomy /Video_&_Image_Processing \
    -import_files -force
set core [ipx::current_core]
set_property name licgate $core
set_property display_name "licgate: learned image compression" $core

# The buses share aclk, whose reset is aresetn.
set buses {}
foreach bus [ipx::get_bus_interfaces -of_objects $core] {
    set name [get_property NAME $bus]
    if {[string match "?_axi*" $name]} {
        ipx::associate_bus_interfaces -busif $name -clock aclk $core
        lappend buses $name
    }
}
puts "buses: $buses"

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
